/**
 * An entry that was good when the log was opened and cannot be read any more is asked of the
 * others, by index and term, while this member goes on: its promise stands, and whoever needs the
 * entry waits for it. What is given is kept in memory; the next start writes it (`log-recovery/`).
 *
 * Where all that can be asked have dropped it from their logs, only a version of theirs helps,
 * which a start takes: this life ends.
 */

import { codeOf } from '../../base/errors.js';
import { sleep, type Env } from '../../base/env.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { isCopySound } from '../entry/entry.js';
import type { DurableLog } from '../log/durable-log.js';
import type { LogError } from '../log/errors.js';
import { decodeEntriesAnswer, encodeEntriesRequest, LOG_ENTRIES_METHOD, type Said } from '../log-recovery/entries-call.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';

export const ENTRY_LOST = 'a log entry cannot be read any more: the other members are asked for it';
export const ENTRY_GIVEN = 'a log entry that cannot be read here was given by another member';

interface EntryMenderParts {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Pick<Membership, 'peers'>;
  readonly log: Pick<DurableLog, 'term' | 'firstIndex' | 'lastIndex' | 'give'>;
}

const CALL_MS = 5_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;
/** Rounds in which everybody says that it begins later, before this life ends. */
const ROUNDS_COMPACTED = 4;
/** Entries that are asked for at the same time. */
const MAX_AT_ONCE = 8;

export class EntryMender {
  readonly #parts: EntryMenderParts;
  readonly #asked = new Set<LogIndex>();

  constructor(parts: EntryMenderParts) {
    this.#parts = parts;
  }

  /**
   * `error`: ENTRY_UNREADABLE. Returns at once; who needs the entry tries to read it again later.
   */
  seek(error: LogError): void {
    const index = Number(error.data['index']);
    if (this.#asked.has(index) || this.#asked.size >= MAX_AT_ONCE) return;
    const { env, life, membership } = this.#parts;
    // Nobody else can have it.
    if (membership.peers.length === 0) return life.fail(error);
    this.#asked.add(index);
    env.events.emit({ type: 'warning', message: ENTRY_LOST, data: { index, why: error.message } });
    this.#seek(index, error).catch((why: unknown) => life.fail(why)).finally(() => this.#asked.delete(index));
  }

  async #seek(index: LogIndex, error: LogError): Promise<void> {
    const { env, life, log } = this.#parts;
    let compacted = 0;
    for (let pauseMs = FIRST_PAUSE_MS; !life.ended; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      if (index < log.firstIndex() || index > log.lastIndex()) return;
      const answers = await this.#ask(index);
      const entry = answers.find(({ says, entry: given }) => says === 'have' && given !== undefined && this.#isIt(given, index))?.entry;
      if (entry !== undefined) {
        if (!log.give(entry)) return life.fail(error);
        env.events.emit({ type: 'warning', message: ENTRY_GIVEN, data: { index, term: entry.term } });
        return;
      }
      compacted = answers.length > 0 && answers.every(({ says }) => says === 'compacted') ? compacted + 1 : 0;
      if (compacted >= ROUNDS_COMPACTED) return life.fail(error);
      await sleep(env.clock, pauseMs);
    }
  }

  async #ask(index: LogIndex): Promise<Said[]> {
    const { env, membership, log } = this.#parts;
    const wanted = [{ index, term: log.term(index) }];
    const request = encodeEntriesRequest({ bound: Number.MAX_SAFE_INTEGER, insists: false, beforeTerm: 0, wanted });
    const call = async (peer: NodeId): Promise<Said | undefined> => {
      try {
        return decodeEntriesAnswer(await env.network.call(peer, LOG_ENTRIES_METHOD, request, CALL_MS)).said[0];
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        return undefined;
      }
    };
    return (await Promise.all(membership.peers.map(call))).filter((said) => said !== undefined);
  }

  #isIt(entry: Entry, index: LogIndex): boolean {
    const { log } = this.#parts;
    const isLive = index >= log.firstIndex() && index <= log.lastIndex();
    return isLive && entry.index === index && entry.term === log.term(index) && isCopySound(entry);
  }
}
