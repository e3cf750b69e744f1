/**
 * Which command took each revision, as replicas applied the log. Where no answer and no trace tells
 * who took a revision, the judge tries the writes of this command first, which spares it a search.
 * It proves nothing: every answer must be explained all the same.
 */

import { ByteWriter } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { decodeLogRecord } from '../../replica/entry/entry.js';
import { encodeKvCommand } from '../../replica/kv/command-codec.js';
import type { KvCommand } from '../../replica/kv/command.js';

/** Stands for a life of a node; its state after the entry that was just applied. */
export interface Applied {
  readonly kv: { readonly revision: Revision };
}

export class LogWitness {
  readonly #entries = new Map<Revision, Uint8Array>();
  readonly #texts = new Map<Revision, string | undefined>();
  readonly #before = new Map<number, { readonly of: Applied; readonly revision: Revision }>();

  /**
   * To be called with each entry that a node applies. The first of a life tells nothing: what came
   * before it is not known.
   */
  applied(node: number, replica: Applied, entry: Entry): void {
    const { revision } = replica.kv;
    const before = this.#before.get(node);
    if (before?.of === replica && before.revision === revision) return;
    this.#before.set(node, { of: replica, revision });
    if (before?.of !== replica || before.revision + 1 !== revision || this.#entries.has(revision)) return;
    // A copy: bits flip in the memory of nodes.
    this.#entries.set(revision, entry.data.slice());
  }

  /** As {@link commandText}; undefined: nobody was seen to apply it. */
  commandAt(revision: Revision): string | undefined {
    const data = this.#entries.get(revision);
    if (data === undefined) return undefined;
    if (!this.#texts.has(revision)) {
      const record = decodeLogRecord(data);
      this.#texts.set(revision, record.kind === 'kv' || record.kind === 'lease' || record.kind === 'lease-time' ? commandText(record.command) : undefined);
    }
    return this.#texts.get(revision);
  }
}

/** Equal for equal commands: one character for each byte. */
export function commandText(command: KvCommand): string {
  const out = new ByteWriter(1024);
  encodeKvCommand(out, command);
  let text = '';
  for (const byte of out.view()) text += String.fromCharCode(byte);
  return text;
}
