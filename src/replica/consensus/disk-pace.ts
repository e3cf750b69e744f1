/**
 * Whether the disk of a leader has become too slow for its office: what it commits with the others
 * it applies and answers only once its own log has it, too. How slow that is no threshold says,
 * which would be wrong for every disk but one. It is slow if over some time
 *
 *   - its own log was later than the majority of the others, network included, by a factor, and so
 *     they would be quicker without it: a follower that is slow, or all that are, is no reason;
 *   - and later than it was itself, by a factor, while it led and kept pace with them.
 *
 * One write is looked at at a time: a sample, and nothing per entry.
 */

import type { LogIndex, Term } from '../../base/ids.js';

/** So many times as long. */
const FACTOR = 4;
/** Of a verdict. */
const MIN_SAMPLES = 4;
/** Of them, the others were first in at least so many. */
const MOST = 3 / 4;
/** What is seldom written is judged by what came within so many election time-outs. */
const MAX_WINDOW_ELECTIONS = 60;
/** For how many election time-outs its own past is remembered. */
const PAST_ELECTIONS = 300;

export interface Verdict {
  /** Milliseconds, on average, until the log here had it, and until the others did. */
  readonly ownMs: number;
  readonly othersMs: number;
}

export interface DiskPaceOptions {
  readonly electionMs: number;
  /** To be later by less than this, in ms, is not worth a change of leader. */
  readonly worthMs: number;
}

interface Sample {
  readonly term: Term;
  readonly last: LogIndex;
  readonly at: number;
  /** Since when the others have it. */
  othersAt: number | undefined;
}

interface Window {
  readonly since: number;
  samples: number;
  late: number;
  ownMs: number;
  othersMs: number;
}

export class DiskPace {
  readonly #options: DiskPaceOptions;
  #term: Term = 0;
  #sample: Sample | undefined;
  #window: Window | undefined;
  /** How long a write took while it kept pace, and when it last did; undefined: never yet. */
  #past: { readonly ms: number; readonly at: number } | undefined;

  constructor(options: DiskPaceOptions) {
    this.#options = options;
  }

  /** A leader of that term has sent entries up to there to the others, and to its own disk. */
  sent(term: Term, last: LogIndex, now: number): void {
    if (term !== this.#term) this.#beginTerm(term);
    this.#sample ??= { term, last, at: now, othersAt: undefined };
  }

  committed(index: LogIndex, now: number): void {
    const sample = this.#sample;
    if (sample !== undefined && index >= sample.last) sample.othersAt ??= now;
  }

  /** The log here is durable up to there. */
  written(index: LogIndex, now: number): void {
    const sample = this.#sample;
    if (sample === undefined || index < sample.last) return;
    this.#sample = undefined;
    const ownMs = now - sample.at;
    const othersMs = (sample.othersAt ?? now) - sample.at;
    if (!isLater(ownMs, othersMs)) this.#learn(ownMs, now);
    const window = (this.#window ??= { since: sample.at, samples: 0, late: 0, ownMs: 0, othersMs: 0 });
    window.samples++;
    window.late += Number(sample.othersAt !== undefined);
    window.ownMs += ownMs;
    window.othersMs += othersMs;
  }

  /** Once some time has been looked at; undefined: it is not slow, or that is not known yet. */
  judge(now: number): Verdict | undefined {
    const window = this.#window;
    const { electionMs, worthMs } = this.#options;
    if (window === undefined || now - window.since < electionMs) return undefined;
    if (window.samples < MIN_SAMPLES) {
      if (now - window.since > MAX_WINDOW_ELECTIONS * electionMs) this.#window = undefined;
      return undefined;
    }
    this.#window = undefined;
    const [ownMs, othersMs] = [window.ownMs / window.samples, window.othersMs / window.samples];
    const slow = window.late >= MOST * window.samples && isLater(ownMs, othersMs) && ownMs - othersMs >= worthMs;
    return slow && (this.#past === undefined || isLater(ownMs, this.#past.ms)) ? { ownMs, othersMs } : undefined;
  }

  #beginTerm(term: Term): void {
    this.#term = term;
    this.#sample = undefined;
    this.#window = undefined;
  }

  /** An average that forgets with time, not with the number of writes. */
  #learn(ms: number, now: number): void {
    const past = this.#past;
    const weight = past === undefined ? 1 : 1 - Math.exp(-Math.max(1, now - past.at) / (PAST_ELECTIONS * this.#options.electionMs));
    this.#past = { ms: (past?.ms ?? 0) * (1 - weight) + ms * weight, at: now };
  }
}

function isLater(ms: number, thanMs: number): boolean {
  return ms >= FACTOR * thanMs;
}
