import assert from 'node:assert/strict';
import type { Replica } from '../../../replica/replica.js';
import { watch, type Watch } from '../testing/fake-node.js';
import { ClusterVersions } from './cluster-versions.js';

describe('checks of the version of the cluster', () => {
  let w: Watch;
  let check: ClusterVersions;

  beforeEach(() => {
    w = watch();
    check = new ClusterVersions(w.reporter);
  });

  /** A life of node `id`, whose member has the same id, with a program that knows `newest`. */
  function life(id: number, newest: number, version = 1): { readonly at: (index: number, version: number) => void } {
    const state = { newest, version };
    const replica = { state, membership: { members: [{ id: 1 }, { id: 2 }] } } as unknown as Pick<Replica, 'state' | 'membership'>;
    check.watch({ id, member: id }, replica);
    const at = (index: number, to: number): void => {
      state.version = to;
      check.applied({ id }, replica, index);
    };
    return { at };
  }

  it('S1 raised by one entry, once all know it, it is the truth, also where it comes with a snapshot', () => {
    const [one, two] = [life(1, 3), life(2, 3)];
    one.at(4, 1);
    one.at(5, 3);
    two.at(4, 1);
    two.at(5, 3);
    life(2, 3).at(9, 3);
    assert.deepEqual(w.reported(), []);
  });

  it('S1 raised by another entry elsewhere, it is reported', () => {
    const [one, two] = [life(1, 3), life(2, 3)];
    one.at(4, 1);
    one.at(5, 3);
    two.at(5, 1);
    two.at(6, 3);
    assert.deepEqual(w.reported(), ['one entry raises the version of the cluster']);
  });

  it('S1 fallen, it is reported', () => {
    const one = life(1, 3, 3);
    one.at(4, 3);
    one.at(5, 2);
    assert.deepEqual(w.reported(), ['the version of the cluster never falls']);
  });

  it('C1 raised above what a member has ever known, it is reported; one that was taken back has known it', () => {
    life(2, 3);
    life(2, 2);
    life(1, 3).at(5, 3);
    assert.deepEqual(w.reported(), []);
    check = new ClusterVersions(w.reporter);
    life(2, 2);
    life(1, 3).at(5, 3);
    assert.deepEqual(w.reported(), ['the version of the cluster is one that all members know']);
  });
});
