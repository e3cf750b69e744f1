import assert from 'node:assert/strict';
import type { Network } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import { Coverage } from '../model/coverage.js';
import { NETWORK_FAULTS } from '../model/fault.js';
import { testPump } from '../testing/pump.js';
import { World, type Process } from '../world/world.js';
import { bridge, clientCut, halves, isolateOne, majoritiesRing, oneWay } from './partitions.js';
import { SimNetwork } from './sim-network.js';
import { calm, strikeNetwork } from './strike.js';
import { FAIR, seedWeather } from './weather.js';

const SECOND = 1_000_000;

function netOf(seed: number, size: number): { world: World; network: SimNetwork; nodes: NodeId[]; coverage: Coverage } {
  const world = new World({ seed });
  const nodes = Array.from({ length: size }, (_, i) => i + 1);
  const coverage = new Coverage();
  const network = new SimNetwork(world, nodes, coverage);
  network.climate.everyDay = FAIR;
  return { world, network, nodes, coverage };
}

/** For each node, whom it hears, itself included. */
function hearing(network: SimNetwork): Map<NodeId, NodeId[]> {
  return new Map(network.nodes.map((to) => [to, network.nodes.filter((from) => from === to || !network.cuts.isCut(from, to))]));
}

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
const SIZES: readonly number[] = [3, 5];

function eachShape(check: (network: SimNetwork, seed: number, size: number) => void): void {
  for (const seed of SEEDS) for (const size of SIZES) check(netOf(seed, size).network, seed, size);
}

function wholeAgain(network: SimNetwork): void {
  for (const heard of hearing(network).values()) assert.equal(heard.length, network.nodes.length);
}

describe('The shapes of partitions', () => {
  it('isolate-one: one node alone, the others whole; and undone', () => {
    eachShape((network, seed, size) => {
      const undo = isolateOne(network, network.nodes, new World({ seed }).stream('s'));
      const sizes = [...hearing(network).values()].map((heard) => heard.length).sort((a, b) => a - b);
      assert.deepEqual(sizes, [1, ...Array<number>(size - 1).fill(size - 1)]);
      undo();
      wholeAgain(network);
    });
  });

  it('halves: two groups that do not meet, either way', () => {
    eachShape((network, seed, size) => {
      halves(network, network.nodes, new World({ seed }).stream('s'));
      const groups = new Set([...hearing(network).values()].map((heard) => heard.join()));
      assert.deepEqual([...groups].map((group) => group.split(',').length).sort(), [size >> 1, size - (size >> 1)]);
    });
  });

  it('bridge: exactly one node sees everybody, the others only their half and the bridge', () => {
    eachShape((network, seed, size) => {
      bridge(network, network.nodes, new World({ seed }).stream('s'));
      const sizes = [...hearing(network).values()].map((heard) => heard.length).sort((a, b) => a - b);
      assert.deepEqual(sizes, [...Array<number>(size - 1).fill((size >> 1) + 1), size]);
      for (const from of network.nodes) {
        for (const to of network.nodes) if (from < to) assert.equal(network.cuts.isCut(from, to), network.cuts.isCut(to, from));
      }
    });
  });

  it('majorities-ring: everybody hears a majority, and no two the same', () => {
    eachShape((network, seed, size) => {
      majoritiesRing(network, network.nodes, new World({ seed }).stream('s'));
      const heard = [...hearing(network).values()];
      for (const one of heard) assert.equal(one.length, (size >> 1) + 1);
      assert.equal(new Set(heard.map((one) => one.join())).size, size);
      // Of five, each hears its two neighbours, who hear it: only of three the ring cannot be whole
      // both ways.
      const mutual = (a: NodeId, b: NodeId): boolean => a === b || network.cuts.isCut(a, b) === network.cuts.isCut(b, a);
      if (size === 5) assert.ok(network.nodes.every((a) => network.nodes.every((b) => mutual(a, b))));
    });
  });

  it('one-way: something is cut, and nothing both ways', () => {
    const counts = new Set<number>();
    eachShape((network, seed, size) => {
      oneWay(network, network.nodes, new World({ seed }).stream('s'));
      let cuts = 0;
      for (const from of network.nodes) {
        for (const to of network.nodes) {
          if (from === to || !network.cuts.isCut(from, to)) continue;
          cuts++;
          assert.ok(!network.cuts.isCut(to, from));
        }
      }
      if (size === 5) counts.add(cuts);
    });
    assert.deepEqual([...counts].sort(), [1, 4]);
  });

  it('client-cut: some clients lose some nodes, never all nodes, and get them back', () => {
    let cuts = 0;
    eachShape((network, seed) => {
      const undo = clientCut(network, network.nodes, new World({ seed }).stream('s'), 6);
      const cutAt = (node: NodeId, client: number): boolean =>
        network.clients.isCut(client, node, 'to-node') || network.clients.isCut(client, node, 'to-client');
      for (let client = 0; client <= 6; client++) {
        const cut = network.nodes.filter((node) => cutAt(node, client));
        assert.ok(cut.length < network.nodes.length);
        cuts += cut.length;
      }
      undo();
      assert.ok(!network.nodes.some((node) => [0, 1, 2, 3, 4, 5, 6].some((client) => cutAt(node, client))));
    });
    assert.ok(cuts > 0);
  });
});

describe('Clients and nodes', () => {
  it('messages take their time, a cut stops one direction alone, and losses are about as many as the weather says', async () => {
    const { world, network } = netOf(1, 3);
    const { clients } = network;
    const log: string[] = [];
    clients.toNode(4, 1, () => log.push(`request ${world.nowUs > 0}`));
    const undo = clients.cutClient(4, 1, 'to-client');
    clients.toClient(4, 1, () => log.push('never'));
    clients.toClient(3, 1, () => log.push('answer to another client'));
    clients.toClient(4, 2, () => log.push('answer of another node'));
    await world.run(testPump, SECOND);
    undo();
    undo();
    clients.cutClient(4, 1, 'to-client')();
    clients.toClient(4, 1, () => log.push('after the cut'));
    const again = clients.cutClient(4, 1, 'to-client');
    assert.ok(clients.isCut(4, 1, 'to-client'));
    again();
    await world.run(testPump, 2 * SECOND);
    assert.deepEqual(log.slice(0, 3).sort(), ['answer of another node', 'answer to another client', 'request true']);
    assert.deepEqual(log.slice(3), ['after the cut']);
    network.climate.everyDay = { ...FAIR, clientLossIn1000: 300 };
    let arrived = 0;
    for (let i = 0; i < 2000; i++) clients.toNode(i % 5, 1, () => void arrived++);
    await world.run(testPump, 3 * SECOND);
    assert.ok(arrived > 1320 && arrived < 1480, `${arrived} of 2000`);
  });

  it('what a process sent before its death reaches the client, also when it was stalled', async () => {
    const { world, network } = netOf(2, 3);
    const process: Process = { node: 1, alive: true, stalledUntilUs: 0 };
    network.attach(process);
    let arrivedUs = 0;
    world.schedule(0, () => {
      world.stall(process, 40_000);
      network.clients.toClient(1, 1, () => (arrivedUs = world.nowUs));
      process.alive = false;
    }, process);
    await world.run(testPump, SECOND);
    assert.ok(arrivedUs > 40_000);
  });
});

/** A cluster of parrots: everybody says something to everybody every 20 ms, and answers calls. */
function parrots(seed: number, size = 3): ReturnType<typeof netOf> & { heard: number[]; lives: Process[] } {
  const { world, network, nodes, coverage } = netOf(seed, size);
  const heard: number[] = Array<number>(size * size).fill(0);
  const lives = nodes.map((node) => {
    const process: Process = { node, alive: true, stalledUntilUs: 0 };
    const end: Network = network.attach(process);
    void end.start({
      onFrame: (from) => void heard[(node - 1) * size + from - 1]!++,
      onCall: (_, __, request) => Promise.resolve(request),
      onDisconnect: () => undefined,
      onRemoved: () => undefined,
    });
    let beat = 0;
    const chat = (): void => {
      beat++;
      for (const to of nodes) {
        if (to === node) continue;
        end.send(to, Uint8Array.of(0, node, beat & 255, beat >> 8));
        if (beat % 50 === 0) end.call(to, 'm', Uint8Array.of(beat & 255), 500).then(() => 0, () => 0);
      }
      world.schedule(20_000, chat, process);
    };
    world.schedule(50_000, chat, process);
    return process;
  });
  return { world, network, coverage, nodes, heard, lives };
}

function strikeAll(bench: ReturnType<typeof parrots>): void {
  NETWORK_FAULTS.forEach((kind, id) => {
    const atUs = (1 + id * 4) * SECOND;
    bench.world.schedule(atUs, () => strikeNetwork({ ...bench, clients: 4 }, { id, atUs, class: 'network', kind }));
  });
}

describe('strikeNetwork', () => {
  it('every network fault strikes, ends by itself within 20 s, and leaves the network as it was', async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const bench = parrots(seed, seed === 3 ? 5 : 3);
      strikeAll(bench);
      await bench.world.run(testPump, 75 * SECOND);
      for (const kind of NETWORK_FAULTS) assert.equal(bench.coverage.count(`fault ${kind}`), 1);
      wholeAgain(bench.network);
      assert.deepEqual(bench.network.clients.weather, FAIR);
      bench.heard.fill(0);
      await bench.world.run(testPump, 77 * SECOND);
      for (let to = 0; to < bench.nodes.length; to++) {
        for (let from = 0; from < bench.nodes.length; from++) {
          if (from !== to) assert.ok((bench.heard[to * bench.nodes.length + from] ?? 0) >= 99, `${from + 1} to ${to + 1}`);
        }
      }
    }
  });

  it('a calm network is whole at once and stays so, whatever was going on', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const bench = parrots(seed);
      bench.network.climate.everyDay = seedWeather(bench.world);
      NETWORK_FAULTS.forEach((kind, id) => strikeNetwork({ ...bench, clients: 4 }, { id: seed * 100 + id, atUs: 0, class: 'network', kind }));
      await bench.world.run(testPump, SECOND / 5);
      calm(bench.network);
      for (let tenths = 3; tenths < 60; tenths++) {
        wholeAgain(bench.network);
        assert.ok(!bench.network.clients.isCut(1, 1, 'to-node'));
        await bench.world.run(testPump, (tenths * SECOND) / 10);
      }
      bench.heard.fill(0);
      await bench.world.run(testPump, 30 * SECOND);
      const rest = bench.heard.filter((count) => count > 0);
      assert.equal(rest.length, 6);
      for (const count of rest) assert.ok(count >= 1200 && count <= 1220, `${count}`);
    }
  });

  it('the same seed is the same run, byte for byte, and another is another', async () => {
    const digestOf = async (seed: number): Promise<string> => {
      const bench = parrots(seed);
      bench.network.climate.everyDay = { ...seedWeather(bench.world), lossIn1000: 10, resetIn100000: 50 };
      strikeAll(bench);
      bench.world.schedule(20 * SECOND, () => {
        (bench.lives[1] as Process).alive = false;
        bench.network.died(2);
      });
      await bench.world.run(testPump, 60 * SECOND);
      return bench.world.trace.digest();
    };
    const first = await digestOf(7);
    assert.equal(await digestOf(7), first);
    assert.notEqual(await digestOf(8), first);
  });
});
