import assert from 'node:assert/strict';
import type { Network } from '../../base/env.js';
import { NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { Coverage } from '../model/coverage.js';
import { testPump } from '../testing/pump.js';
import { World, type Process } from '../world/world.js';
import { addressOf } from './address.js';
import { SimNetwork } from './sim-network.js';
import { FAIR } from './weather.js';

interface Life {
  readonly network: Network;
  readonly process: Process;
  readonly heard: NodeId[];
  readonly toldBy: NodeId[];
  readonly lost: NodeId[];
}

const at = (entries: readonly (readonly [NodeId, NodeId])[]): ReadonlyMap<NodeId, readonly string[]> =>
  new Map(entries.map(([member, place]) => [member, [addressOf(place)]]));

describe('members at places of the simulated network', () => {
  let world: World;
  let network: SimNetwork;

  beforeEach(() => {
    world = new World({ seed: 1 });
    network = new SimNetwork(world, [1, 2], new Coverage());
    network.climate.everyDay = FAIR;
  });

  const run = (seconds: number): Promise<void> => world.run(testPump, world.nowUs + seconds * 1_000_000);

  async function live(place: NodeId, member: NodeId, peers: readonly (readonly [NodeId, NodeId])[]): Promise<Life> {
    const process: Process = { node: place, alive: true, stalledUntilUs: 0 };
    const life: Life = { process, network: network.attach(process, { member, peers: new Map(peers) }), heard: [], toldBy: [], lost: [] };
    void life.network.start({
      onFrame: (from) => void life.heard.push(from),
      onCall: (from, method) => Promise.resolve(new TextEncoder().encode(`${method} of ${from}`)),
      onDisconnect: (peer) => void life.lost.push(peer),
      onRemoved: (peer) => void life.toldBy.push(peer),
    });
    await run(0.2);
    return life;
  }

  async function codeOfCall(from: Life, to: NodeId): Promise<string> {
    let code = 'none';
    from.network.call(to, 'm', new Uint8Array(1), 1_000).then(
      () => (code = 'answered'),
      (error: unknown) => (code = error instanceof NetworkError ? error.code : 'other'),
    );
    await run(2);
    return code;
  }

  it('a machine that is added talks as its member to those that it knows, and is let in by who does not know it', async () => {
    const one = await live(1, 1, [[2, 2]]);
    network.add(3);
    const new1 = await live(3, 77, [[1, 1]]);
    new1.network.send(1, new Uint8Array(4));
    await run(1);
    assert.deepEqual(one.heard, [77]);
    assert.equal(await codeOfCall(one, 77), 'answered');
    assert.equal(await codeOfCall(new1, 2), 'UNREACHABLE');
  });

  it('what is meant for the member that was at a place does not reach the one that is there now', async () => {
    const one = await live(1, 1, [[2, 2]]);
    const other = await live(2, 5, [[1, 1]]);
    one.network.send(2, new Uint8Array(4));
    await run(1);
    assert.deepEqual(other.heard, []);
    assert.equal(await codeOfCall(one, 2), 'OTHER_MEMBER');
  });

  it('who was removed is told, at once and when it connects again, and is not heard', async () => {
    const one = await live(1, 1, [[2, 2]]);
    const two = await live(2, 2, [[1, 1]]);
    one.network.setPeers(at([]), [2]);
    two.network.send(1, new Uint8Array(4));
    await run(1);
    assert.deepEqual([one.heard, two.toldBy], [[], [1]]);
    assert.equal(await codeOfCall(two, 1), 'REMOVED');
    two.process.alive = false;
    network.died(2);
    const again = await live(2, 2, [[1, 1]]);
    assert.deepEqual(again.toldBy, [1]);
    assert.deepEqual(one.lost, [], 'who is no peer is not missed');
  });

  it('who was removed while it could not be reached is told afterwards, though nobody was restarted', async () => {
    const one = await live(1, 1, [[2, 2]]);
    const two = await live(2, 2, [[1, 1]]);
    const mend = network.cuts.cut(1, 2);
    one.network.setPeers(at([]), [2]);
    await run(1);
    assert.deepEqual(two.toldBy, []);
    mend();
    await run(1);
    assert.deepEqual(two.toldBy, [1]);
  });

  it('who asks as no member is told what the cluster is', async () => {
    await live(1, 1, []);
    network.add(3);
    let answer = '';
    network.describe(3, 1, 'describe', (reply) => (answer = new TextDecoder().decode(reply)));
    await run(1);
    assert.equal(answer, 'describe of 0');
  });
});
