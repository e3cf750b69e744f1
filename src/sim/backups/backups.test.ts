import assert from 'node:assert/strict';
import { put } from '../../api/testing/requests.js';
import { EtcdError } from '../../api/etcd-error.js';
import { messageOf } from '../../base/errors.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import type { SimNode } from '../cluster/sim-node.js';
import { Coverage } from '../model/coverage.js';
import { testPump } from '../testing/pump.js';
import { History } from '../workload/history/history.js';
import { judge } from '../workload/judge/judge.js';
import { encodeValue } from '../workload/value.js';
import { keyBytes } from '../workload/wire.js';
import { World } from '../world/world.js';
import { Backups, readyForBackups } from './backups.js';

const SECOND_US = 1_000_000;

describe('backups of a simulated cluster', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let good: Uint8Array;
  let world: World;
  let history: History;
  let coverage: Coverage;
  let reports: string[];

  /** Ten writes by clients, of which the history knows, too. */
  before(async () => {
    await readyForBackups();
    cluster = await Cluster.start(calm);
    const [node] = cluster.nodes;
    assert.ok(node);
    for (let i = 1; i <= 10; i++) await node.store.put({ ...put('', ''), key: keyBytes(`k${i % 4}`), value: encodeValue(i, 100) });
    const pieces: Uint8Array[] = [];
    for await (const { bytes } of node.store.backup()) pieces.push(bytes.slice());
    good = Uint8Array.from(Buffer.concat(pieces));
  });
  after(() => cluster.close());

  beforeEach(() => {
    world = new World({ seed: 1 });
    history = new History();
    coverage = new Coverage();
    reports = [];
    for (let i = 1; i <= 10; i++) {
      const record = history.begin(1, 1, { kind: 'put', key: `k${i % 4}`, value: i, prevKv: false, lease: 0 }, world.nowUs);
      history.settle(record, { kind: 'answered', answer: { kind: 'put', revision: i + 1, prevKv: undefined } }, world.nowUs);
    }
  });

  /** A member gives these bytes. */
  async function takes(bytes: Uint8Array, failure?: Error): Promise<boolean> {
    const process = { node: 1, alive: true, stalledUntilUs: 0 };
    const store = {
      async *backup() {
        yield { bytes, remaining: 0 };
        if (failure !== undefined) throw failure;
      },
    };
    const node = { id: 1, state: 'up', lives: 1, running: { process, store } } as unknown as SimNode;
    const backups = new Backups({
      world, coverage, history, logSegmentBytes: 64 * 1024,
      report: (_kind, check) => void reports.push(check),
      dataLoss: (_node, error) => void reports.push(`data loss: ${messageOf(error)}`),
      threw: (_process, error) => void reports.push(messageOf(error)),
    });
    let whole: boolean | undefined;
    const timeGoesBy = (): void => void world.schedule(1_000, timeGoesBy);
    timeGoesBy();
    backups.begin(node, world.stream('backup'), (is) => void (whole ??= is));
    await world.run(testPump, world.nowUs + 60 * SECOND_US, () => whole !== undefined);
    return whole === true;
  }

  it('D1 a good one is a read of all, now and then, explained by what clients wrote; and restored it is the same', async () => {
    assert.equal(await takes(good), true);
    assert.deepEqual(reports, []);
    const reads = history.records.filter(({ op }) => op.kind === 'range');
    assert.deepEqual(reads.map(({ outcome }) => outcome?.kind), ['answered', 'answered']);
    assert.deepEqual(judge(history.records).faults, []);
    assert.equal(coverage.toJSON()['backup restored'], 1);
  });

  it('S4 one with a flipped bit is reported', async () => {
    const bad = good.slice();
    bad[bad.length >> 1] = (bad[bad.length >> 1] as number) ^ 4;
    await takes(bad);
    assert.deepEqual(reports, ['S4 a backup is sound']);
  });

  it('R4 one that lacks what was acknowledged before is found by the judge, and so is one of what nobody wrote', async () => {
    const record = history.begin(1, 1, { kind: 'put', key: 'k1', value: 11, prevKv: false, lease: 0 }, world.nowUs);
    history.settle(record, { kind: 'answered', answer: { kind: 'put', revision: 12, prevKv: undefined } }, world.nowUs);
    await world.run(testPump, SECOND_US);
    await takes(good);
    assert.deepEqual(judge(history.records).faults.map(({ check }) => check), ['R4 real time']);
    history = new History();
    await takes(good);
    assert.ok(judge(history.records).faults.some(({ check }) => check === 'values'));
  });

  it('C1 one that is refused is no fault, unless a block is said to be lost, or the error has no type', async () => {
    assert.equal(await takes(good, new EtcdError('UNHEALTHY')), false);
    assert.deepEqual(reports, []);
    await takes(good, new EtcdError('DATA_LOSS', 'backup: gone'));
    await takes(good, new Error('no type'));
    assert.match(reports.join(', '), /^data loss: .*backup: gone, no type$/);
  });
});
