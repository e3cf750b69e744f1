/**
 * What all calls of a server share. Nothing of it belongs to one call: what a call takes of the
 * budgets and of the wheel it gives back when it is over.
 */

import type { Clock } from '../base/env.js';
import { ByteBudget } from './byte-budget.js';
import { Deadlines } from './deadlines.js';
import type { CallGuard, ErrorMapper, Inflater } from './hooks.js';
import type { GrpcLimits } from './limits.js';
import { MessageBytes } from './message-bytes.js';
import { UnreadAnswers } from './unread-answers.js';

export interface SharedParts {
  readonly guard: CallGuard;
  readonly errors: ErrorMapper;
  readonly inflater: Inflater;
  readonly limits: GrpcLimits;
  readonly clock: Clock;
}

export class Shared implements SharedParts {
  readonly guard: CallGuard;
  readonly errors: ErrorMapper;
  readonly inflater: Inflater;
  readonly limits: GrpcLimits;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly unread: UnreadAnswers;
  /** Requests that have come in part. */
  readonly unfinished: ByteBudget;
  /** Requests that are being carried out. */
  readonly carried: ByteBudget;
  readonly memory = new MessageBytes();
  /** Calls that are not over, or whose handler has not come back. */
  calls = 0;
  readonly #prefix = new Uint8Array(5);

  constructor(parts: SharedParts) {
    this.guard = parts.guard;
    this.errors = parts.errors;
    this.inflater = parts.inflater;
    this.limits = parts.limits;
    this.clock = parts.clock;
    this.deadlines = new Deadlines(parts.clock);
    this.unread = new UnreadAnswers(parts.limits.maxUnreadBytes, parts.limits.maxUnreadOfConnection);
    this.unfinished = new ByteBudget(parts.limits.maxUnfinishedBytes);
    this.carried = new ByteBudget(parts.limits.maxUnfinishedBytes);
  }

  /** What goes before a message of so many bytes; overwritten by the next. */
  prefix(bytes: number): Uint8Array {
    const prefix = this.#prefix;
    prefix[1] = bytes >>> 24;
    prefix[2] = bytes >>> 16;
    prefix[3] = bytes >>> 8;
    prefix[4] = bytes;
    return prefix;
  }
}
