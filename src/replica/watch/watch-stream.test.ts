import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import { MiB } from '../../base/bytes.js';
import { encodeHeaderPrefix } from '../../api/wire/encode-response.js';
import { encodeWatchResponse } from '../../api/wire/watch-codec.js';
import { command, putOf, txnOf } from '../kv/testing/requests.js';
import { runToEnd } from '../kv/testing/run-to-end.js';
import { createOf, turn, WatchWorld, type WatchedStream } from './testing/watch-world.js';

const PREFIX = encodeHeaderPrefix(2n ** 64n - 1n, 2n ** 53n - 1n);

async function begun(stream: WatchedStream, key: string, more: Parameters<typeof createOf>[2] = {}): Promise<WatchedStream> {
  await stream.create(createOf(key, '', more));
  await stream.take();
  return stream;
}

/** Enough for all that goes on by itself. */
async function turns(): Promise<void> {
  for (let n = 0; n < 40; n++) await turn();
}

/** Takes each answer at once, until it has so many events. */
async function hears(stream: WatchedStream, events: number): Promise<void> {
  for (let heard = 0; heard < events;) heard += (await stream.take()).events.length;
}

/** Nothing has come by now. */
async function waits(stream: WatchedStream): Promise<boolean> {
  const none = Symbol('none');
  const taking = stream.take();
  await turns();
  const found = await Promise.race([taking, Promise.resolve(none)]);
  taking.catch(() => undefined);
  return found === none;
}

describe('streams of watches', () => {
  it('one with hasleader ends after three election timeouts without a leader, and no other does', async () => {
    const world = new WatchWorld({ electionMs: 1_000 });
    const strict = world.hub.open({ requireLeader: true });
    const calm = world.stream();
    await begun(calm, 'a');
    let ended = '';
    const over = strict.next().catch((error: unknown) => (ended = codeOf(error) ?? String(error)));
    const pass = async (ms: number): Promise<void> => {
      world.clock.advance(ms);
      await turn();
    };
    await pass(1_000);
    world.leadership.leader = 0;
    await pass(1_000);
    await pass(1_000);
    world.leadership.leader = 2;
    await pass(1_000);
    assert.equal(ended, '', 'a leader in between: it is counted anew');
    world.leadership.leader = 0;
    for (let n = 0; n < 3; n++) await pass(1_000);
    await over;
    assert.equal(ended, 'NO_LEADER');
    world.apply(command.put('a', '1'));
    assert.equal((await calm.take()).events.length, 1);
    assert.equal(world.hub.counts.streams, 1);
    for (const stream of world.streams) stream.session.close();
    assert.equal(world.clock.timers, 0, 'no timer is left');
  });

  it('one with hasleader is not charged with what others before it waited for a leader', async () => {
    const world = new WatchWorld({ electionMs: 1_000 });
    const open = (): { readonly ended: () => string; readonly close: () => void } => {
      let ended = '';
      const stream = world.hub.open({ requireLeader: true });
      stream.next().catch((error: unknown) => (ended = codeOf(error) ?? String(error)));
      return { ended: () => ended, close: () => stream.close() };
    };
    const pass = async (): Promise<void> => {
      world.clock.advance(1_000);
      await turn();
    };
    world.leadership.leader = 0;
    const first = open();
    await pass();
    await pass();
    first.close();
    await pass();
    const second = open();
    await pass();
    await pass();
    assert.equal(second.ended(), '');
    await pass();
    assert.equal(second.ended(), 'NO_LEADER');
    world.leadership.leader = 2;
    await pass();
    world.leadership.leader = 0;
    const third = open();
    await pass();
    await pass();
    assert.equal(third.ended(), '', 'nor with what ended the one before');
    third.close();
    await pass();
    assert.equal(world.clock.timers, 0, 'no timer is left');
  });

  it('W1 a quiet watcher that asked for it is told how far it is, one that heard something or lags behind is not', async () => {
    const world = new WatchWorld({ progressNotifyMs: 500, streamBytes: 1 });
    const quiet = await begun(world.stream(), 'quiet', { progressNotify: true });
    const busy = await begun(world.stream(), 'a', { progressNotify: true });
    const silent = await begun(world.stream(), 'silent');
    for (let n = 0; n < 5; n++) world.apply(command.put('a', String(n)));
    await turns();
    world.clock.advance(500);
    const { revision, watchId, events } = await quiet.take();
    assert.deepEqual([revision, watchId, events.length], [world.machine.revision, 0, 0]);
    await busy.drain();
    assert.ok(busy.answers.every(({ created, events: some }) => created || some.length > 0), 'no progress among what it lags behind with');
    await turns();
    world.clock.advance(500);
    world.clock.advance(500);
    assert.equal((await busy.take()).events.length, 0, 'once it has been quiet for that long');
    assert.equal(await waits(silent), true);
  });

  it('W1 etcd#20221: one that begins at a future revision hears of none before it, and is told of no progress before it', async () => {
    const world = new WatchWorld({ progressNotifyMs: 500 });
    for (let n = 0; n < 3; n++) world.apply(command.put('a', String(n)));
    const first = world.machine.revision + 4;
    const later = await begun(world.stream(), 'a', { startRevision: first, progressNotify: true });
    for (let n = 0; n < 2; n++) {
      world.apply(command.put('a', 'before'));
      await turns();
      world.clock.advance(500);
    }
    assert.equal(await waits(later), true);
    for (let n = 0; n < 3; n++) world.apply(command.put('a', 'then'));
    const heard = (): number[] => later.answers.flatMap(({ events }) => events.map(({ kv }) => kv.modRevision));
    await turns();
    if (heard().length < 2) await later.take();
    assert.deepEqual(heard(), [first, first + 1]);
  });

  it('C1 etcd#22264: one that is far behind keeps nobody else waiting, and no write', async () => {
    const world = new WatchWorld({ unpaused: true });
    for (let n = 0; n < 20_000; n++) world.apply(command.put('a', String(n)));
    const live = await begun(world.stream(), 'b');
    const behind = world.stream();
    await behind.create(createOf('a', '', { startRevision: 1 }));
    await behind.take();
    let caughtUp = 0;
    const catching = (async () => {
      while (caughtUp < 20_000) caughtUp += (await behind.take()).events.length;
    })();
    world.apply(command.put('b', 'now'));
    assert.equal((await live.take()).events.length, 1);
    assert.ok(caughtUp < 10_000, `${caughtUp} revisions were read before the live one was told`);
    await catching;
  });

  it('W1 a revision of more than 2 MiB comes whole, or in fragments of less for who takes them, the last one without the flag', async () => {
    const world = new WatchWorld({ streamBytes: 64 * MiB });
    const [whole, cut] = [world.stream(), world.stream()];
    await whole.create(createOf('a', 'b'));
    await cut.create(createOf('a', 'b', { fragment: true }));
    for (const stream of [whole, cut]) await stream.take();
    const value = 'x'.repeat(700 * 1024);
    const ops = [0, 1, 2, 3, 4, 5, 6].map((n) => ({ kind: 'put' as const, request: putOf(`a${n}`, value) }));
    world.apply({ kind: 'txn', request: txnOf([], ops) });
    assert.equal((await whole.take()).events.length, 7);
    const parts = [await cut.take(), await cut.take(), await cut.take(), await cut.take()];
    assert.deepEqual(parts.map(({ events, fragment }) => [events.length, fragment]), [[2, true], [2, true], [2, true], [1, false]]);
    for (const part of parts) {
      assert.ok(runToEnd(encodeWatchResponse(PREFIX, 2 ** 40, part)).length < 2 * MiB);
      assert.equal(part.revision, world.machine.revision);
    }
    // One event that is larger than that goes alone.
    world.apply({ kind: 'txn', request: txnOf([], [{ kind: 'put', request: putOf('a', 'x'.repeat(3 * MiB)) }, ...ops.slice(0, 1)]) });
    const large = [await cut.take(), await cut.take()];
    assert.deepEqual(large.map(({ events, fragment }) => [events.length, fragment]), [[1, true], [1, false]]);
  });

  it('a watch before the first revision, or of nothing, is refused in etcd\'s words; the compact revision itself is not gone', async () => {
    const world = new WatchWorld();
    for (let n = 0; n < 6; n++) world.apply(command.put('a', String(n)));
    world.apply(command.compact(5));
    const stream = world.stream();
    const refusal = async (...args: Parameters<typeof createOf>): Promise<unknown> => {
      await stream.create(createOf(...args));
      const { watchId, created, canceled, cancelReason, compactRevision } = await stream.take();
      return [watchId, created, canceled, cancelReason, compactRevision];
    };
    const compacted = 'etcdserver: mvcc: required revision has been compacted';
    assert.deepEqual(await refusal('a', '', { startRevision: -1 }), [-1, true, true, compacted, 0]);
    assert.deepEqual(await refusal('b', 'a'), [-1, true, true, 'mvcc: watcher range is empty', 0]);
    assert.deepEqual(await refusal('a', '', { startRevision: 4 }), [0, true, false, '', 0]);
    const { canceled, compactRevision } = await stream.take();
    assert.deepEqual([canceled, compactRevision], [true, 5]);
    await stream.create(createOf('a', '', { startRevision: 5 }));
    await stream.take();
    const revisions: number[] = [];
    while (revisions.length < 3) revisions.push(...(await stream.take()).events.map(({ kv }) => kv.modRevision));
    assert.deepEqual(revisions, [5, 6, 7]);
  });

  it('what was applied in one stretch is told in one message, to each watcher, whole and in order', async () => {
    for (const unpaused of [true, false]) {
      const world = new WatchWorld({ unpaused });
      const streams = [await begun(world.stream(), 'a'), await begun(world.stream(), 'a'), await begun(world.stream(), 'b')];
      const [first, second, other] = streams as [WatchedStream, WatchedStream, WatchedStream];
      const before = streams.map(({ answers }) => answers.length);
      const taking = Promise.all([hears(first, 30), hears(second, 30), hears(other, 1)]);
      for (let n = 0; n < 30; n++) world.apply(command.put('a', String(n)));
      world.apply(command.put('b', 'x'));
      await taking;
      const messages = streams.map(({ answers }, at) => answers.length - (before[at] as number));
      if (unpaused) assert.deepEqual(messages, [1, 1, 1]);
      const values = second.answers.flatMap(({ events }) => events.map(({ kv }) => Number(Buffer.from(kv.value).toString())));
      assert.deepEqual(values, [...Array(30).keys()]);
      assert.equal(other.answers.at(-1)?.events.length, 1);
    }
  });

  it('W1 a watch that ends while many are told of one change is told nothing after its end', async () => {
    const world = new WatchWorld();
    const stream = world.stream();
    for (let n = 0; n < 200; n++) await begun(stream, 'a');
    const last = stream.answers.at(-1)?.watchId ?? assert.fail();
    const before = stream.answers.length;
    const workers = world.hub.parts.env.workers as { breathe: () => Promise<void> };
    workers.breathe = () => {
      void stream.session.handle({ kind: 'cancel', watchId: last });
      return turn();
    };
    world.apply(command.put('a', 'x'));
    await hears(stream, 199);
    await turns();
    const heard = stream.answers.slice(before).filter(({ watchId }) => watchId === last);
    assert.deepEqual(heard.map(({ canceled, events }) => [canceled, events.length]), [[true, 0]]);
    assert.ok(await waits(stream));
  });

  it('C1 a stream is woken before it is full of what is told in one stretch', async () => {
    const world = new WatchWorld({ unpaused: true });
    const { hub } = world;
    const stream = await begun(world.stream(), 'a');
    let fell = 0;
    const fallBehind = hub.fallBehind.bind(hub);
    hub.fallBehind = (watcher, place) => {
      fell++;
      fallBehind(watcher, place);
    };
    const taking = hears(stream, 40);
    for (let n = 0; n < 40; n++) world.apply(command.put('a', 'x'.repeat(100 * 1024)));
    await taking;
    assert.equal(fell, 0);
  });
});
