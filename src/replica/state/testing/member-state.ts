/** The state objects of a member whose Raft core is the test's: who leads is said, not elected. */

import { MemoryDisk } from '../../../base/disk/memory-disk.js';
import type { NodeId, Term } from '../../../base/ids.js';
import { ManualClock } from '../../../base/testing/manual-clock.js';
import { silent } from '../../../base/testing/silent.js';
import type { Role } from '../../../raft/types.js';
import { Leadership } from '../leadership.js';
import { Life } from '../life.js';
import { Membership } from '../membership.js';
import { Reserve } from '../reserve.js';
import { Room } from '../room.js';

export class MemberState {
  readonly life = new Life();
  readonly room: Room;
  readonly membership: Membership;
  readonly leadership: Leadership;
  readonly failures: unknown[] = [];
  readonly #core: { lead: NodeId; term: Term; role: Role; readonly isLeader: boolean };

  constructor(self: NodeId = 1, ids: readonly NodeId[] = [1, 2, 3]) {
    this.membership = new Membership(self, ids.map((id) => ({ id, name: `n${id}`, peerUrls: [] })));
    const reserve = new Reserve(new MemoryDisk(), 4096);
    this.room = new Room({ env: { clock: new ManualClock(), events: silent }, life: this.life, reserve });
    this.#core = {
      lead: 0, term: 0, role: 'follower',
      get isLeader() {
        return this.role === 'leader';
      },
    };
    this.leadership = new Leadership(self, this.life);
    this.leadership.attach(this.#core);
    this.life.subscribe((now) => {
      if (now.s === 'failed') this.failures.push(now.error);
    });
  }

  /** It takes part. */
  serve(): this {
    this.life.to({ s: 'joining' });
    this.life.to({ s: 'serving' });
    return this;
  }

  /** What the core says from now on, and everybody hears. */
  lead(leader: NodeId, term: Term, role: Role = leader === this.membership.self ? 'leader' : 'follower'): void {
    Object.assign(this.#core, { lead: leader, term, role });
    this.leadership.changed();
  }
}
