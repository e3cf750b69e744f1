import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { utf8 } from '../../base/bytes.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { testWorkers } from '../../base/testing/test-env.js';
import { Watermark } from '../../base/watermark.js';
import { EtcdError } from '../../api/etcd-error.js';
import { Version } from '../../storage/version/version.js';
import { Harness } from '../kv/testing/harness.js';
import { rangeOf } from '../kv/testing/requests.js';
import { MemberState } from '../state/testing/member-state.js';
import { ReadIndex } from './read-index.js';
import { Reads, type ReadsParts } from './reads.js';
import { openAccess } from '../auth/testing/open-access.js';
import { ServeGate } from './serve-gate.js';

const ONE = rangeOf('a', '', { serializable: true });
const MANY = rangeOf('a', 'z', { serializable: true });

/** A member that serves key `a`, whose block no read can have until `repair` says so. */
class Serving {
  readonly clock = new ManualClock();
  readonly kv = Harness.onMemory();
  readonly gate = new ServeGate(this.clock, 1_000, 0);
  readonly applied = new Watermark('the applied index', 0);
  readonly reads: Reads;
  repair: () => Promise<void> = () => Promise.resolve();

  constructor() {
    const { leadership } = new MemberState();
    const readIndex = new ReadIndex(
      { clock: this.clock, leadership, driver: { readIndex: () => undefined } },
      { incarnation: 1, timeoutMs: 1_000, retryMs: 250, maxWaiting: 10 },
    );
    const { tree, machine } = this.kv;
    this.reads = new Reads({
      env: { workers: testWorkers },
      tree: Object.assign(tree, { materialized: Version.empty() }) as unknown as ReadsParts['tree'],
      state: { kv: machine, access: openAccess() },
      progress: { applied: this.applied },
      healing: { repair: () => this.repair() },
      gate: this.gate,
      readIndex,
    });
    this.kv.put('a', 'old');
    tree.faulty = () => true;
  }
}

describe('reads', () => {
  for (const [what, request] of [['of one key', ONE], ['of a range', MANY]] as const) {
    it(`R4 a read ${what} whose block was mended waits for the version that was installed meanwhile`, async () => {
      const member = new Serving();
      member.repair = async () => {
        await turn();
        member.gate.install(9);
        member.kv.tree.faulty = undefined;
      };
      let answered = false;
      const read = member.reads.range(request).finally(() => (answered = true));
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(answered, false, 'what was installed is not applied yet');
      member.kv.put('a', 'new');
      member.applied.advance(9);
      assert.deepEqual((await read).kvs.map(({ value }) => value), [utf8('new')]);
    });

    it(`D1 a read ${what} whose block nobody has fails with what the repair says, and pins nothing`, async () => {
      const member = new Serving();
      member.repair = () => Promise.reject(new EtcdError('DATA_LOSS'));
      await assert.rejects(member.reads.range(request), (error) => codeOf(error) === 'DATA_LOSS');
      member.repair = () => Promise.reject(new NetworkError('TIMEOUT', 'a peer could not be asked'));
      await assert.rejects(member.reads.range(request), (error) => codeOf(error) === 'UNHEALTHY');
      assert.equal(member.kv.tree.pinned, 0);
    });
  }

  it('R4 a serializable read waits for the gate and for nothing else', async () => {
    const member = new Serving();
    member.kv.tree.faulty = undefined;
    member.gate.install(5);
    const read = member.reads.range(ONE);
    member.applied.advance(4);
    await turn();
    member.applied.advance(5);
    assert.equal((await read).kvs.length, 1);
  });

  it('reads that wait end with the member', async () => {
    const member = new Serving();
    member.gate.install(5);
    const read = member.reads.range(ONE);
    member.reads.stop();
    await assert.rejects(read, (error) => codeOf(error) === 'STOPPED');
  });
});
