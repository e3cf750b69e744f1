/**
 * The state of a transcript that is being run. To ask for what is not there is an error of the
 * transcript.
 */

import { utf8 } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import type { ConfState, Entry } from '../types.js';
import type { Member, Settings } from './group.js';
import { MemoryLog } from './memory-log.js';
import { RecordedGroup } from './recorded-group.js';
import type { Args } from './transcript-args.js';

/** The log that a node begins with. */
interface Given {
  readonly terms: readonly number[];
  readonly commit: number;
}

export class Stage {
  readonly #given = new Map<NodeId, Given>();
  #group: RecordedGroup | undefined;

  /** What was written down since the last call. */
  take(): string[] {
    return this.#group?.take() ?? [];
  }

  group(args: Args): RecordedGroup {
    return this.#group ?? args.fail('there is no group yet');
  }

  member(args: Args): Member {
    const id = args.node();
    const group = this.group(args);
    return group.members.get(id) ?? args.fail(`there is no node ${id}`);
  }

  /** A member that is up. */
  running(args: Args): Member {
    const member = this.member(args);
    if (this.group(args).isDown(member.id)) args.fail(`node ${member.id} is down`);
    return member;
  }

  /** Those named, or all. */
  members(args: Args): Member[] {
    const group = this.group(args);
    const ids = args.nodes();
    if (ids.length === 0) return [...group.members.values()];
    return ids.map((id) => group.members.get(id) ?? args.fail(`there is no node ${id}`));
  }

  give(id: NodeId, given: Given): void {
    this.#given.set(id, given);
  }

  open(ids: readonly NodeId[], conf: Partial<ConfState>, settings: Settings): void {
    const logs = new Map(ids.map((id) => [id, startingLog(conf, this.#given.get(id))]));
    this.#group = new RecordedGroup(logs, settings);
  }

  get isOpen(): boolean {
    return this.#group !== undefined;
  }
}

export function startingLog(conf: Partial<ConfState>, given: Given = { terms: [], commit: 0 }): MemoryLog {
  const log = new MemoryLog(conf);
  log.append(given.terms.map((term, i) => oldEntry(i + 1, term)));
  log.hardState = { term: given.terms.at(-1) ?? 0, vote: 0, commit: given.commit };
  return log;
}

/**
 * One payload per index and term, such as "c2": two entries of one index and different terms are
 * never the same.
 */
function oldEntry(index: number, term: number): Entry {
  return { term, index, type: 'normal', data: utf8(`${String.fromCharCode(0x60 + index)}${term}`) };
}
