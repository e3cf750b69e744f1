/**
 * Answers `log.entries`, in every state of a member: the log that it asks is another one in each.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { isCopySound } from '../entry/entry.js';
import { ANSWER_BYTES, decodeEntriesRequest, encodeEntriesAnswer, type EntriesRequest, type Said, type WantedEntry } from './entries-call.js';
import type { PeerLog } from './peer-log.js';
import { says, type Says } from './says.js';

export class LogServer {
  readonly #log: PeerLog;

  constructor(log: PeerLog) {
    this.#log = log;
  }

  /** Rejects with CodecError, HardStateError. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    const request = decodeEntriesRequest(bytes);
    let said = await this.#said(request);
    if (request.insists && said.some((one) => one.says === 'unsure')) {
      await this.#log.raise(request.bound);
      said = await this.#said(request);
    }
    return encodeEntriesAnswer({ leads: this.#log.witness().leads, base: this.#log.base, said });
  }

  async #said({ bound, wanted, beforeTerm }: EntriesRequest): Promise<Said[]> {
    const log = this.#log;
    const said: Said[] = [];
    let bytes = 0;
    for (let i = 0; i < wanted.length && bytes < ANSWER_BYTES; i++) {
      const { index, term } = wanted[i] as WantedEntry;
      const follows = wanted[i - 1]?.index === index - 1 && isGiven(said[i - 1]?.says);
      const joined = i === 0 ? this.#joins(index - 1, beforeTerm) : follows || undefined;
      const what = says(log.place(index), { term, proven: term === 0 && this.#proves(wanted, i), joined }, bound, log.witness());
      const entry = isGiven(what) ? await this.#read(index) : undefined;
      if (entry === undefined) said.push({ says: isGiven(what) ? 'faulty' : what });
      else if (entry.data.length + bytes > ANSWER_BYTES && bytes > 0) break;
      else said.push({ says: what, entry });
      bytes += entry?.data.length ?? 0;
    }
    assert(said.length > 0, `R6 the first of ${wanted.length} entries is answered`);
    return said;
  }

  /** The same entry, whose term the asking member knows, comes later in both logs. */
  #proves(wanted: readonly WantedEntry[], at: number): boolean {
    for (let i = at + 1; i < wanted.length; i++) {
      const { index, term } = wanted[i] as WantedEntry;
      if (index !== (wanted[i - 1] as WantedEntry).index + 1) return false;
      if (term > 0) return this.#log.term(index) === term;
    }
    return false;
  }

  #joins(index: LogIndex, term: Term): boolean | undefined {
    if (index === 0) return true;
    const here = this.#log.term(index);
    return term === 0 || here === 0 ? undefined : here === term;
  }

  /** C1 what is not as its proposer made it is not given to anybody. */
  async #read(index: LogIndex): Promise<Entry | undefined> {
    const entry = await this.#log.read(index);
    return entry !== undefined && isCopySound(entry) ? entry : undefined;
  }
}

function isGiven(what: Says | undefined): boolean {
  return what === 'have' || what === 'follow';
}
