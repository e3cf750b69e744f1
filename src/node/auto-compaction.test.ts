import assert from 'node:assert/strict';
import { EtcdError } from '../api/etcd-error.js';
import { ManualClock } from '../base/testing/manual-clock.js';
import type { KintsugiEvent } from '../base/events.js';
import { MemberState } from '../replica/state/testing/member-state.js';
import { AutoCompaction, type AutoCompactionOptions } from './auto-compaction.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('automatic compaction', () => {
  let clock: ManualClock;
  let member: MemberState;
  let kv: { revision: number; compactRevision: number };
  let asked: number[];
  let refusal: EtcdError | undefined;
  let events: KintsugiEvent[];

  function start(options: AutoCompactionOptions): void {
    clock = new ManualClock();
    member = new MemberState();
    kv = { revision: 1, compactRevision: 0 };
    asked = [];
    events = [];
    refusal = undefined;
    const store = {
      compact: async ({ revision }: { revision: number }) => {
        asked.push(revision);
        if (refusal !== undefined) throw refusal;
        kv.compactRevision = revision;
        return { revision: kv.revision };
      },
    };
    const env = { clock, events: { emit: (event: KintsugiEvent) => void events.push(event) } };
    void new AutoCompaction({ env, life: member.life, leadership: member.leadership, state: { kv }, store }, options);
    member.serve();
    member.lead(1, 1);
  }

  /** A write a minute. */
  async function pass(ms: number): Promise<void> {
    for (let done = 0; done < ms; done += MINUTE) {
      kv.revision += 1;
      clock.advance(MINUTE);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
  }

  it('periodic: nothing goes before the retention is over, then what is older, at most once an hour', async () => {
    start({ mode: 'periodic', retentionMs: 3 * HOUR });
    await pass(3 * HOUR);
    assert.deepEqual(asked, []);
    await pass(HOUR);
    assert.equal(asked.length, 1);
    const [first = 0] = asked;
    assert.ok(first > 1 && first <= kv.revision - 180, `${first} of ${kv.revision}: what was written in three hours stays`);
    await pass(5 * HOUR);
    assert.equal(asked.length, 6);
    assert.ok(asked.every((revision, i) => i === 0 || revision > (asked[i - 1] as number)));
  });

  it('periodic: a store that nobody writes to is not compacted again', async () => {
    start({ mode: 'periodic', retentionMs: HOUR });
    await pass(2 * HOUR);
    clock.advance(2 * HOUR);
    await Promise.resolve();
    const { length } = asked;
    clock.advance(20 * HOUR);
    await Promise.resolve();
    assert.ok(asked.length <= length + 1, `${asked.length} compactions after ${length}`);
  });

  it('revision: so many stay', async () => {
    start({ mode: 'revision', retention: 100 });
    await pass(HOUR);
    assert.deepEqual(asked, [], 'there are no more than that');
    await pass(2 * HOUR);
    assert.ok(asked.length > 10);
    assert.equal(kv.compactRevision, kv.revision - 100);
  });

  it('only the leader asks; a new one knows at once what may go', async () => {
    start({ mode: 'periodic', retentionMs: HOUR });
    member.lead(2, 2);
    await pass(4 * HOUR);
    assert.deepEqual(asked, []);
    member.lead(1, 3);
    await pass(10 * MINUTE);
    assert.equal(asked.length, 1);
  });

  it('a compaction that fails is told of and tried again at the next look; one that came first is none', async () => {
    start({ mode: 'periodic', retentionMs: HOUR });
    refusal = new EtcdError('NO_LEADER');
    await pass(80 * MINUTE);
    assert.ok(asked.length >= 2);
    assert.equal(events.filter(({ type }) => type === 'warning').length, asked.length);
    refusal = new EtcdError('COMPACTED');
    await pass(10 * MINUTE);
    const { length } = asked;
    await pass(30 * MINUTE);
    assert.equal(asked.length, length);
  });

  it('nothing is left running when the member stops', async () => {
    start({ mode: 'revision', retention: 10 });
    assert.equal(clock.timers, 1);
    member.life.stop();
    assert.equal(clock.timers, 0);
  });
});
