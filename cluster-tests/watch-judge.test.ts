/** The judge of the watch drill finds what it is there for. No process runs. */

import assert from 'node:assert/strict';
import { Follower, type Want } from '../scripts/lib/watches/follower.js';
import { History, valueOf, type Change, type Expected, type SeenEvent, type SeenKv, type State } from '../scripts/lib/watches/history.js';

const ALL: Want = { key: '', prefix: true, prevKv: true, noPut: false, noDelete: false, fragment: true };
const put = (key: string): Change => ({ kind: 'put', key, pad: 3 });

/** Revisions 2 to 5: puts of two keys, one of them again, both deleted, one put anew. */
function history(): History {
  const made = new History();
  const writes: Change[][] = [[put('a'), put('b')], [put('a')], [{ kind: 'delete-prefix', prefix: '' }], [put('b')]];
  for (const [i, changes] of writes.entries()) {
    const write = { id: `w.${i}`, changes: [put('m'), ...changes].slice(changes[0]?.kind === 'delete-prefix' ? 1 : 0), revision: i + 2 };
    made.willWrite(write);
    made.append(i + 2, `w.${i} `);
  }
  return made;
}

const kvOf = (key: string, { id, pad, ...numbers }: State): SeenKv => ({ key, ...numbers, value: valueOf(id, pad), lease: '0' });

function eventOf({ type, key, state, before }: Expected, revision: number): SeenEvent {
  const gone = { key, createRevision: 0, modRevision: revision, version: 0, value: Buffer.alloc(0), lease: '0' };
  return { type, kv: state === undefined ? gone : kvOf(key, state), prevKv: before && kvOf(key, before) };
}

const eventsOf = (from: History, revision: number): SeenEvent[] => from.at(revision).map((event) => eventOf(event, revision));

/** What is wrong with what a watcher heard. */
function heard(tell: (follower: Follower, events: SeenEvent[][]) => void, want = ALL, regular = true): string {
  const made = history();
  made.compactions.add(3);
  const follower = new Follower(made, 'it', want, 1, regular);
  tell(follower, [[], [], ...[2, 3, 4, 5].map((revision) => eventsOf(made, revision))]);
  follower.judge();
  return follower.faults.join('; ');
}

describe('the judge of the watch drill', () => {
  it('has nothing to say of a watcher that hears each event once, in order, in pieces or many at a time', () => {
    assert.equal(heard((it, [, , two, three, four, five]) => {
      it.hear([...(two as SeenEvent[]), ...(three as SeenEvent[])], false);
      it.upTo(3);
      it.hear((four as SeenEvent[]).slice(0, 1), true);
      it.hear([...(four as SeenEvent[]).slice(1), ...(five as SeenEvent[])], false);
    }), '');
    assert.equal(heard((it, [, , two, , , five]) => {
      it.hear((two as SeenEvent[]).filter(({ kv }) => kv.key === 'b'), false);
      it.hear((five as SeenEvent[]).filter(({ kv }) => kv.key === 'b'), false);
    }, { ...ALL, key: 'b', prefix: false, noDelete: true }), '');
  });

  it('finds what is left out, doubled, out of order or torn', () => {
    const flat = (events: SeenEvent[][]): SeenEvent[] => events.flat();
    assert.match(heard((it, events) => it.hear(flat([events[2] as SeenEvent[], events[4] as SeenEvent[]]), false)), /revision 3 are left out/);
    assert.match(heard((it, events) => {
      it.hear(events[2] as SeenEvent[], false);
      it.hear(events[2] as SeenEvent[], false);
    }), /revision 2 is told after all before 3/);
    assert.match(heard((it, events) => it.hear((events[2] as SeenEvent[]).slice(1), false)), /has 3 events, 2 are told/);
    assert.match(heard((it, events) => it.hear([...(events[2] as SeenEvent[])].reverse(), false)), /event 0 of 2/);
    assert.match(heard((it, events) => {
      it.hear((events[2] as SeenEvent[]).slice(0, 1), true);
      it.hear(events[3] as SeenEvent[], false);
    }), /2 breaks off/);
  });

  it('finds an event that says something else, and what was there before', () => {
    const changed = (change: Partial<SeenEvent>) => (it: Follower, events: SeenEvent[][]): void => {
      it.hear(events[2] as SeenEvent[], false);
      const [first, ...others] = events[3] as [SeenEvent, ...SeenEvent[]];
      it.hear([{ ...first, ...change }, ...others], false);
    };
    const kv = { key: 'm', createRevision: 2, modRevision: 3, version: 2, value: valueOf('w.1', 3), lease: '0' };
    assert.equal(heard(changed({ kv })), '');
    assert.match(heard(changed({ kv: { ...kv, version: 1 } })), /create, mod, version/);
    assert.match(heard(changed({ kv: { ...kv, value: valueOf('w.0', 3) } })), /another value of m/);
    assert.match(heard(changed({ prevKv: undefined })), /before it: nothing at m/);
    assert.match(heard(changed({ type: 'delete' })), /is a delete of m/);
  });

  it('finds progress that is not true', () => {
    assert.match(heard((it) => it.upTo(2)), /progress says that all up to 2 was told; 3 events of 2 were not/);
  });

  it('finds a compaction that it is told of and that was none', () => {
    assert.match(heard((it) => it.overtaken(3)), /never was behind that/);
    assert.equal(heard((it) => it.overtaken(3), ALL, false), '');
    assert.match(heard((it) => it.overtaken(4), ALL, false), /nobody has compacted at 4/);
    assert.match(heard((it, events) => {
      it.hear([...(events[2] as SeenEvent[]), ...(events[3] as SeenEvent[])], false);
      it.overtaken(3);
    }, ALL, false), /it wants 4, and is told that it was compacted by 3/);
  });

  it('finds a write that was carried out twice, elsewhere than acknowledged, or not at all', () => {
    const made = history();
    made.willWrite({ id: 'w.9', changes: [put('m')], revision: 9 });
    made.append(6, 'w.0 ');
    made.checkWrites();
    assert.match(made.faults.join('; '), /w.0 was carried out twice.*w.0 was acknowledged at 2 and told at 6.*w.9, acknowledged at 9, was never told/);
  });
});
