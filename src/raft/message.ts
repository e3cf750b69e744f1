/**
 * Making messages: every one has every field, in the same order, so that all share one hidden
 * class.
 */

import { EMPTY } from '../base/bytes.js';
import type { NodeId, Term } from '../base/ids.js';
import type { Message, MessageType } from './types.js';
import { NO_ENTRIES } from './unstable.js';

/** A message while it is being filled in, before it is sent. */
export type MessageDraft = { -readonly [Field in keyof Message]: Message[Field] };

const NO_MESSAGES: readonly Message[] = [];

export function newMessage(type: MessageType, from: NodeId, to: NodeId, term: Term): MessageDraft {
  return {
    type,
    from,
    to,
    term,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    entries: NO_ENTRIES,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    responses: NO_MESSAGES,
    round: 0,
    context: EMPTY,
    force: false,
  };
}
