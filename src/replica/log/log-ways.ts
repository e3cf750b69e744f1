/**
 * By what ways the judgement over a log was reached (`resolve.ts`), and what became of what it
 * lacks (`log-recovery/decide.ts`). Whoever opens a log tells of each as an event, so that many
 * runs together can be held to having gone all of them.
 */

/** Of a log as it lies there. A healthy one goes none of them but `at rest`. */
export const JUDGEMENTS = [
  /** What was not synced before a failure lies before the mark that gives it up. */
  'given up',
  /** Its record says where it ends. */
  'at rest',
  /** There is such a record, and the log has gone on since, or it is of another. */
  'rest outlived',
  /** A tail that nothing proves is cut. */
  'torn',
  /** Of a proven batch nothing is left. */
  'batch missing',
  /** Such a batch may have replaced entries before its successor. */
  'doubted',
  /** Entries of a batch of which nothing is left have unknown terms. */
  'gap filled',
  /** There are too many of them to be named, or none is known before them. */
  'gap skipped',
  /** Something bad was replaced by a later batch. */
  'bad replaced',
  /** Something bad is in durable tables. */
  'bad covered',
  /** What lies behind the last row may be missing. */
  'ends open',
  /** Segment files are cut short, overwritten or missing where nothing else would show it. */
  'files missing',
  /** The manifest knows of entries that the log lacks. */
  'manifest knows more',
] as const;
export type Judgement = (typeof JUDGEMENTS)[number];

/** Of an entry that was lost; the verdicts of `decide.ts`. */
export const RECOVERIES = ['take', 'follow', 'cut', 'begin-later', 'wait'] as const;
export type Recovery = (typeof RECOVERIES)[number];
