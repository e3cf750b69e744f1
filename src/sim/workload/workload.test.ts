import assert from 'node:assert/strict';
import { EtcdError } from '../../api/etcd-error.js';
import type { KvCommand } from '../../replica/kv/command.js';
import type { RangeRequest, RangeResponse } from '../../api/requests.js';
import type { Stream } from '../world/random.js';
import { DAMAGED_VALUE } from './history/operation.js';
import { FakeCluster, type Lie } from './testing/fake-cluster.js';
import { decodeValue, encodeValue } from './value.js';

function told(cluster: FakeCluster): string {
  return cluster.violations.map(({ check, message }) => `${check}: ${message}`).join('\n');
}

/** True once, at about the `n`th time that `fits`. */
function once<T>(random: Stream, fits: (what: T) => boolean, n = 60): (what: T) => boolean {
  let left = random.between(n / 2, n);
  return (what) => fits(what) && left-- === 0;
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 4;
  return copy;
}

const hasKvs = ({ kvs }: RangeResponse): boolean => kvs.length > 0;

/** One answer to a read that shows something is changed. */
function alter(change: (response: RangeResponse, request: RangeRequest) => RangeResponse, fits = hasKvs): (random: Stream) => Lie {
  return (random) => {
    const now = once(random, fits);
    return { range: (request, response) => (now(response) ? change(response, request) : undefined) };
  };
}

function alterKv(change: (kv: RangeResponse['kvs'][number]) => RangeResponse['kvs'][number], fits = hasKvs): (random: Stream) => Lie {
  return alter((response) => ({ ...response, kvs: response.kvs.map((kv, i) => (i === 0 ? change(kv) : kv)) }), fits);
}

function instead(fits: (command: KvCommand) => boolean, log: (command: KvCommand) => readonly KvCommand[]): (random: Stream) => Lie {
  return (random) => {
    const now = once(random, fits);
    return { append: (command) => (now(command) ? log(command) : undefined) };
  };
}

const isPut = ({ kind }: KvCommand): boolean => kind === 'put';

function putsOfBoth(command: KvCommand): Extract<KvCommand, { kind: 'put' }>[] {
  if (command.kind !== 'txn') return [];
  return command.request.success.flatMap((op) => (op.kind === 'put' ? [{ kind: 'put' as const, request: op.request }] : []));
}

/** Its fields, to be changed: a packed one gives its keys only when it is asked for them. */
function plain({ revision, kvs, more, count }: RangeResponse): RangeResponse {
  return { revision, kvs, more, count };
}

/** A read that answers what a read of the same key was answered before. */
function stale(withRevision: boolean): (random: Stream) => Lie {
  return (random) => {
    const before = new Map<string, RangeResponse>();
    let left = random.between(5, 20);
    return {
      range(request, response) {
        if (request.rangeEnd.length > 0 || request.serializable || request.revision > 0) return undefined;
        const key = Buffer.from(request.key).toString('hex');
        const old = before.get(key);
        if (old === undefined) before.set(key, response);
        if (old === undefined || old.kvs[0]?.modRevision === response.kvs[0]?.modRevision || left-- !== 0) return undefined;
        return withRevision ? old : { ...plain(old), revision: response.revision };
      },
    };
  };
}

const LIES: Readonly<Record<string, (random: Stream) => Lie>> = {
  'a write is answered and lost': instead(isPut, () => []),
  'a write is carried out twice': instead(isPut, (command) => [command, command]),
  'a write goes to another key': instead(isPut, (command) =>
    command.kind === 'put' ? [{ kind: 'put', request: { ...command.request, key: Uint8Array.of(107, 48, 48, 48) } }] : []),
  'half a transaction is carried out': (random) => {
    const now = once(random, (command: KvCommand) => putsOfBoth(command).length > 1, 10);
    return {
      append(command, rightAnswer) {
        if (command.kind !== 'txn' || command.request.compare.length > 0 || !now(command)) return undefined;
        rightAnswer();
        return putsOfBoth(command).slice(0, 1);
      },
    };
  },
  'a delete is answered and forgotten': (random) => {
    let left = random.between(5, 20);
    return {
      append(command, rightAnswer) {
        if (command.kind !== 'delete-range' || left < 0 || (rightAnswer() as { deleted: number }).deleted === 0) return undefined;
        return left-- === 0 ? [] : undefined;
      },
    };
  },
  'a write is refused and carried out': (random) => {
    const now = once(random, isPut);
    return { refuse: now };
  },
  'a key shows what it held before': stale(false),
  'a read is answered once more': stale(true),
  'linearizable reads do not ask for the read index': () => ({ skipReadIndex: () => true }),
  'a node goes back by some entries': (random) => {
    let reads = random.below(50);
    return { goBack: () => (++reads % 150 === 0 ? 9 : 0) };
  },
  'a count is wrong': alter((response) => ({ ...plain(response), count: response.count + 1 }), () => true),
  'more is said to follow': alter((response) => ({ ...plain(response), more: !response.more })),
  'a key is missing in a range': alter((response) => ({ ...plain(response), kvs: response.kvs.slice(1), count: response.count - 1 })),
  'a mod revision is in the future': alterKv((kv) => ({ ...kv, modRevision: kv.modRevision + 5_000 })),
  'a mod revision is too low': alterKv((kv) => ({ ...kv, modRevision: kv.modRevision - 1 })),
  'a version is too low': alterKv((kv) => ({ ...kv, version: kv.version - 1 })),
  'a create revision is wrong': alterKv((kv) => ({ ...kv, createRevision: kv.createRevision - 1 })),
  'a bit of a value is flipped': alterKv((kv) => ({ ...kv, value: flipped(kv.value) }), ({ kvs }) => (kvs[0]?.value.length ?? 0) > 0),
  'the header revision is in the future': alter((response) => ({ ...plain(response), revision: response.revision + 100_000 })),
  'a revision is said to be compacted': (random) => {
    const now = once(random, ({ revision, serializable }: RangeRequest) => revision === 0 && !serializable);
    return { error: (request) => (now(request) ? new EtcdError('COMPACTED') : undefined) };
  },
  'a revision is said to be in the future': (random) => {
    const now = once(random, ({ revision, serializable }: RangeRequest) => revision === 1 || (revision > 0 && !serializable), 10);
    return { error: (request) => (now(request) ? new EtcdError('FUTURE_REVISION') : undefined) };
  },
};

describe('workload', function () {
  this.timeout(60_000);

  for (const seed of [1, 2, 3, 4]) {
    it(`passes a store that is right, through crashes, lost requests and time-outs (seed ${seed})`, async () => {
      const cluster = new FakeCluster({ seed, unknownIn1000: 30, crashSeconds: 20 });
      const { passed, stats } = await cluster.run();
      assert.equal(told(cluster), '');
      assert.ok(passed);
      const { acknowledged, unknown } = cluster.workload.counts;
      assert.ok(acknowledged > 2_100, `${acknowledged} acknowledged`);
      assert.ok(unknown > 20, `${unknown} unknown`);
      assert.ok((stats['inferred'] ?? 0) > 0, 'some revisions belong to writes that nobody saw');
      assert.ok(cluster.workload.done && cluster.workload.idle);
    });
  }

  it('is the same run again for the same seed', async () => {
    const digests: string[] = [];
    for (let i = 0; i < 2; i++) {
      const cluster = new FakeCluster({ seed: 5, unknownIn1000: 30, crashSeconds: 20 });
      await cluster.run();
      digests.push(cluster.world.trace.digest());
    }
    assert.equal(digests[0], digests[1]);
  });

  for (const [name, lie] of Object.entries(LIES)) {
    it(`objects when ${name}`, async () => {
      let objections = 0;
      for (const seed of [1, 2]) {
        const cluster = new FakeCluster({ seed, keys: 20, unknownIn1000: 10, lie });
        const { passed } = await cluster.run();
        assert.equal(passed, cluster.violations.length === 0);
        if (!passed) objections++;
      }
      assert.equal(objections, 2);
    });
  }

  it('tells of every DATA_LOSS, and takes it for a refusal', async () => {
    let left = 5;
    const lie = (): Lie => ({ error: () => (left-- > 0 ? new EtcdError('DATA_LOSS') : undefined) });
    const cluster = new FakeCluster({ seed: 1, lie });
    const { passed } = await cluster.run();
    assert.ok(passed, told(cluster));
    assert.equal(cluster.lost.length, 5);
    assert.equal(cluster.coverage.count('answer DATA_LOSS'), 5);
  });

  it('reports an answer that is no typed error', async () => {
    let left = 1;
    const lie = (): Lie => ({ error: () => (left-- > 0 ? (new TypeError('undefined is not a function') as unknown as EtcdError) : undefined) });
    const cluster = new FakeCluster({ seed: 1, lie });
    await cluster.run();
    assert.match(told(cluster), /^typed answers: .*undefined is not a function/);
    assert.equal(cluster.violations[0]?.kind, 'crash');
  });

  it('S4 a value with any bit flipped proves itself wrong', () => {
    for (const [value, length] of [[7, 10], [8, 300], [1_000_001, 3_072]] as const) {
      const bytes = encodeValue(value, length);
      assert.equal(decodeValue(bytes), value);
      assert.equal(decodeValue(bytes.subarray(0, length - 1)), DAMAGED_VALUE);
      for (let bit = 0; bit < 8 * length; bit += 7) {
        const bad = bytes.slice();
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
        assert.equal(decodeValue(bad), DAMAGED_VALUE, `value ${value}, bit ${bit}`);
      }
    }
  });
});
