import assert from 'node:assert/strict';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import { codeOf, CodecError } from '../../base/errors.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { silent } from '../../base/testing/silent.js';
import { nodeClock, NodeRandom } from '../env/node-env.js';
import { freePorts } from '../free-ports.js';
import { PeerNetwork } from '../peer-network.js';
import { answerTo, Asks, isAnswer, isQuestion, readQuestion } from './asks.js';

class World {
  readonly clock = new ManualClock();
  readonly asks = new Asks(this.clock, 'there:1');
  readonly frames: Uint8Array[] = [];
  /** What has become of each question, in the order in which it was known. */
  readonly outcomes: string[] = [];

  ask(text: string, timeoutMs = 1_000): void {
    this.asks.ask('echo', utf8(text), timeoutMs, (frame) => this.frames.push(frame)).then(
      (answer) => this.outcomes.push(fromUtf8(answer)),
      (error: unknown) => this.outcomes.push(String(codeOf(error))),
    );
  }

  /** The other member answers the question of that number. */
  async answer(at: number, handle = (_method: string, request: Uint8Array) => Promise.resolve(request)): Promise<void> {
    const frame = this.frames[at] as Uint8Array;
    assert.ok(isQuestion(frame) && !isAnswer(frame));
    const answer = await answerTo(readQuestion(frame), handle);
    assert.ok(isAnswer(answer) && !isQuestion(answer));
    this.asks.answered(answer);
    await Promise.resolve();
  }
}

describe('questions over the streams of members', () => {
  it('are answered each by its own answer, in whatever order they come, and once', async () => {
    const world = new World();
    for (const text of ['one', 'two', 'three']) world.ask(text);
    for (const at of [2, 0, 0, 1, 2]) await world.answer(at);
    assert.deepEqual(world.outcomes, ['three', 'one', 'two']);
    assert.equal(world.clock.timers, 0);
  });

  it('end with the time, and what comes later finds nobody', async () => {
    const world = new World();
    world.ask('short', 10);
    world.ask('long', 50);
    world.clock.advance(20);
    await world.answer(0);
    assert.deepEqual(world.outcomes, ['TIMEOUT']);
    await world.answer(1);
    assert.deepEqual([world.outcomes, world.clock.timers], [['TIMEOUT', 'long'], 0]);
  });

  it('end with the stream, all of them', async () => {
    const world = new World();
    world.ask('one');
    world.ask('two');
    world.asks.lost();
    await Promise.resolve();
    world.ask('three');
    await world.answer(2);
    await world.answer(0);
    assert.deepEqual([world.outcomes, world.clock.timers], [['UNREACHABLE', 'UNREACHABLE', 'three'], 0]);
  });

  it('are refused by what refuses them, and by an answer that is too large', async () => {
    const world = new World();
    world.ask('one');
    world.ask('two');
    await world.answer(0, () => Promise.reject(new Error('disk on fire')));
    await world.answer(1, () => Promise.resolve(new Uint8Array(65 * 1024)));
    assert.deepEqual(world.outcomes, ['REMOTE', 'REMOTE']);
  });

  it('C1 are bounded, and bytes that are none are a CodecError', async () => {
    const world = new World();
    for (let n = 0; n < 1_025; n++) world.ask(String(n));
    await Promise.resolve();
    assert.deepEqual([world.outcomes, world.frames.length], [['UNREACHABLE'], 1_024]);
    const [frame] = world.frames as [Uint8Array];
    for (let cut = 1; cut < frame.length; cut++) assert.throws(() => readQuestion(frame.subarray(0, cut)), CodecError);
    const answer = await answerTo(readQuestion(frame), (_method, request) => Promise.resolve(request));
    for (let cut = 1; cut < answer.length; cut++) assert.throws(() => world.asks.answered(answer.subarray(0, cut)), CodecError);
  });
});

describe('questions over loopback', () => {
  const nets: PeerNetwork[] = [];
  const frames: string[] = [];

  afterEach(async () => {
    for (const net of nets.splice(0)) await net.stop();
    frames.length = 0;
  });

  /** Two members, with a stream in either direction. */
  async function pair(): Promise<[PeerNetwork, PeerNetwork]> {
    const ports = await freePorts(2);
    const [a, b] = [1, 2].map((self) => new PeerNetwork({
      self, clusterId: 7n, listen: [`127.0.0.1:${ports[self - 1]}`], clock: nodeClock, random: new NodeRandom(),
      peers: new Map([[3 - self, `http://127.0.0.1:${ports[2 - self]}`]]), events: silent,
    })) as [PeerNetwork, PeerNetwork];
    nets.push(a, b);
    const onCall = (_from: number, method: string, request: Uint8Array): Promise<Uint8Array> => {
      if (method === 'fail') return Promise.reject(new Error('disk on fire'));
      if (method === 'never') return new Promise(() => undefined);
      return Promise.resolve(request);
    };
    const onFrame = (from: number, frame: Uint8Array): void => void frames.push(`${from}:${fromUtf8(frame)}`);
    const handler = { onCall, onFrame, onDisconnect: () => undefined, onRemoved: () => undefined };
    await Promise.all([a.start(handler), b.start(handler)]);
    while (!a.isUp(2) || !b.isUp(1)) await pause();
    a.send(2, utf8('x'));
    b.send(1, utf8('y'));
    while (frames.length < 2) await pause();
    return [a, b];
  }

  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
  const refusedAs = (code: string) => (error: unknown): boolean => codeOf(error) === code;

  it('are no calls and no frames, and end with the stream', async () => {
    const [a, b] = await pair();
    a.call = () => assert.fail('it is asked over the stream');
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => a.ask(2, 'echo', utf8(String(i)), 5_000)));
    assert.deepEqual(answers.map(fromUtf8), Array.from({ length: 100 }, (_, i) => String(i)));
    await assert.rejects(a.ask(2, 'fail', utf8(''), 5_000), refusedAs('REMOTE'));
    await assert.rejects(a.ask(2, 'never', utf8(''), 20), refusedAs('TIMEOUT'));
    assert.deepEqual(frames.toSorted(), ['1:x', '2:y']);
    const lost = assert.rejects(a.ask(2, 'never', utf8(''), 60_000), refusedAs('UNREACHABLE'));
    await b.stop();
    await lost;
  });

  it('are calls while there is no stream', async () => {
    const [a, b] = await pair();
    await assert.rejects(a.ask(3, 'echo', utf8(''), 20), refusedAs('UNREACHABLE'));
    const called: string[] = [];
    a.call = (_to, method) => {
      called.push(method);
      return Promise.resolve(utf8('called'));
    };
    await b.stop();
    while (a.isUp(2)) await pause();
    assert.equal(fromUtf8(await a.ask(2, 'echo', utf8(''), 20)), 'called');
    assert.deepEqual(called, ['echo']);
  });

  it('that do not parse end their stream, and harm nobody', async () => {
    const [a] = await pair();
    a.send(2, Uint8Array.of(0xf0, 1, 200));
    a.send(2, Uint8Array.of(0xf1, 1, 200));
    for (let answer = ''; answer !== 'again'; await pause()) answer = await a.ask(2, 'echo', utf8('again'), 1_000).then(fromUtf8, () => '');
    assert.deepEqual(frames.toSorted(), ['1:x', '2:y']);
  });
});
