/**
 * A group that writes down what happens in it, with links that can be cut and nodes that can be
 * down.
 */

import { fromUtf8 } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import type { Message, Ready } from '../types.js';
import { Group, type Delivery, type Member, type Settings } from './group.js';
import type { MemoryLog } from './memory-log.js';
import { configText, entriesText, messageText, roleText, snapshotText } from './transcript-words.js';

export interface MessageFilter {
  readonly from?: NodeId | undefined;
  readonly to?: NodeId | undefined;
  readonly type?: string | undefined;
}

export class RecordedGroup extends Group {
  readonly #down = new Set<NodeId>();
  /** Pairs of nodes that do not hear each other, the lower id first. */
  readonly #cut = new Set<string>();
  #lines: string[] = [];

  constructor(logs: ReadonlyMap<NodeId, MemoryLog>, settings: Settings) {
    super([...logs.keys()], settings, Object.fromEntries(logs));
    this.lose = ({ from, to }) => this.#down.has(to) || this.#cut.has(pair(from, to));
  }

  say(line: string): void {
    this.#lines.push(line);
  }

  /** What was written down since the last call. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  override pump(id: NodeId): boolean {
    return !this.#down.has(id) && super.pump(id);
  }

  protected override handle(member: Member, ready: Ready): void {
    const { id, node, storage } = member;
    const { term, vote, commit } = storage.hardState;
    const config = node.config;
    const { softState, hardState, snapshot, entries, committedEntries, readStates } = ready;
    if (softState !== undefined) this.say(`${id} ${roleText(softState, node.term)}`);
    if (hardState !== undefined && (hardState.term !== term || hardState.vote !== vote)) {
      this.say(`${id} writes term ${hardState.term}, vote ${hardState.vote}`);
    }
    if (snapshot !== undefined) this.say(`${id} installs ${snapshotText(snapshot)}`);
    if (entries.length > 0) this.say(`${id} writes ${entriesText(entries)}`);
    if (hardState !== undefined && hardState.commit !== commit) this.say(`${id} commits through ${hardState.commit}`);
    if (committedEntries.length > 0) this.say(`${id} applies ${entriesText(committedEntries)}`);
    super.handle(member, ready);
    if (node.config !== config) this.say(`${id} goes by ${configText(node.config)}`);
    for (const { index, context } of readStates) this.say(`${id} may serve ${JSON.stringify(fromUtf8(context))} once it has applied ${index}`);
  }

  override deliver(message: Message): Delivery {
    const at = this.#lines.length;
    this.say(messageText(message));
    const delivery = super.deliver(message);
    if (delivery !== 'taken') this.#lines[at] += ` (${delivery})`;
    return delivery;
  }

  /** Delivers the messages that are on their way now and fit. Returns how many there were. */
  deliverMatching(filter: MessageFilter): number {
    const matching = this.#takeMatching(filter);
    for (const message of matching) this.deliver(message);
    return matching.length;
  }

  /** Loses them instead. */
  loseMatching(filter: MessageFilter): number {
    const matching = this.#takeMatching(filter);
    for (const message of matching) this.say(`${messageText(message)} (lost)`);
    return matching.length;
  }

  #takeMatching({ from, to, type }: MessageFilter): Message[] {
    const fits = (m: Message): boolean =>
      (from === undefined || m.from === from) && (to === undefined || m.to === to) && (type === undefined || m.type === type);
    const matching = this.queue.filter(fits);
    this.queue = this.queue.filter((message) => !fits(message));
    return matching;
  }

  isDown(id: NodeId): boolean {
    return this.#down.has(id);
  }

  /** What is not written is lost, and so is what is sent to it meanwhile. */
  crash(id: NodeId): void {
    this.#down.add(id);
  }

  override restart(id: NodeId): void {
    this.#down.delete(id);
    super.restart(id);
  }

  cut(a: NodeId, b: NodeId): void {
    this.#cut.add(pair(a, b));
  }

  heal(): void {
    this.#cut.clear();
  }
}

function pair(a: NodeId, b: NodeId): string {
  return `${Math.min(a, b)} ${Math.max(a, b)}`;
}
