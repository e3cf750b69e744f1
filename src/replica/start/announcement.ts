/**
 * Each life of a member announces itself once through the log: an empty transaction, which changes no key and no revision, leaves its
 * incarnation among the applied ids of every replica. It is what the others remember of a member whose files are gone (see start-check).
 */

import type { KvCommand } from '../kv/command.js';

const NOTHING: KvCommand = { kind: 'txn', request: { compare: [], success: [], failure: [] } };

export interface AnnouncementOptions {
  /** Of this life. */
  readonly incarnation: number;
  /** Of this member, by the log as applied here. */
  readonly known: () => number;
  readonly propose: (command: KvCommand) => Promise<unknown>;
}

export class Announcement {
  readonly #options: AnnouncementOptions;
  #asked = false;

  constructor(options: AnnouncementOptions) {
    this.#options = options;
  }

  /** Called now and then while there is a leader. A proposal that failed is made again. */
  tick(): void {
    const { incarnation, known, propose } = this.#options;
    if (this.#asked || known() >= incarnation) return;
    this.#asked = true;
    const again = (): void => void (this.#asked = false);
    propose(NOTHING).then(again, again);
  }
}
