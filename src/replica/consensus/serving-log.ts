/**
 * The log of a member that takes part, for others that ask: the core's, with what is not synced
 * yet.
 *
 * R6 what it says it lacks it lacks in memory and on its disk. A term is raised for somebody else
 * only where no leader can tell: one that leads `bound` or a later term knows by itself, and so
 * nobody else has to say anything.
 */

import { codeOf } from '../../base/errors.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { newMessage } from '../../raft/message.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { DurableLog } from '../log/durable-log.js';
import type { LogPoint } from '../log/log-point.js';
import type { PeerLog } from '../log-recovery/peer-log.js';
import { raises, type Place, type Witness } from '../log-recovery/says.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import type { RaftDriver } from './raft-driver.js';

export interface ServingLogParts {
  readonly life: Life;
  readonly membership: Membership;
  readonly driver: RaftDriver;
  readonly log: DurableLog;
  readonly hardState: HardStateStore;
}

export class ServingLog implements PeerLog {
  readonly #parts: ServingLogParts;

  constructor(parts: ServingLogParts) {
    this.#parts = parts;
  }

  get base(): LogPoint {
    const { node } = this.#parts.driver;
    const index = node.firstIndex - 1;
    return { index, term: node.termAt(index) ?? 0 };
  }

  place(index: LogIndex): Place {
    const { driver, log } = this.#parts;
    const { node } = driver;
    if (index < node.firstIndex) return { at: 'compacted' };
    const term = node.termAt(index);
    if (term !== undefined) return { at: 'entry', term };
    // What the core has left behind may still be on the disk.
    return { at: index <= log.lastIndex() ? 'hole' : 'nothing' };
  }

  term(index: LogIndex): Term {
    return this.#parts.driver.node.termAt(index) ?? 0;
  }

  read(index: LogIndex): Promise<Entry | undefined> {
    try {
      const [entry] = this.#parts.driver.node.entriesAfter(index - 1, 0);
      return Promise.resolve(entry?.index === index ? entry : undefined);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return Promise.resolve(undefined);
    }
  }

  witness(): Witness {
    const { life, membership, driver, hardState } = this.#parts;
    const standing = membership.standing(membership.self);
    return {
      term: hardState.current?.term ?? 0,
      votes: life.serving && standing !== 'learner' && standing !== 'none',
      leads: life.serving && driver.node.isLeader ? driver.node.term : 0,
    };
  }

  /** Durable a little later: who asks, asks again. */
  raise(bound: Term): Promise<void> {
    const { life, driver, membership } = this.#parts;
    const { node } = driver;
    const [peer] = membership.peers;
    if (!life.serving || peer === undefined || !raises(bound, { term: node.term, hasLeader: node.lead !== 0 })) return Promise.resolve();
    driver.step(newMessage('MsgHeartbeatResp', peer, membership.self, bound + 1));
    return Promise.resolve();
  }
}
