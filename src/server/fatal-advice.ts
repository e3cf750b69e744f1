/**
 * What an operator can do about an error that ends the process, where the error itself cannot know.
 */

import { messageOf } from '../base/errors.js';

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/R3 commit \d+ is within the log/,
    'this member once acknowledged more than its log now holds: its data directory was emptied or replaced by an older copy. Keep it stopped, ' +
    'put the newest data directory back if there is one, and see "A member that lost its files" in OPERATING.md. The other members go on serving'],
  [/^(MANIFEST_UNREADABLE|BROKEN: the log starts at)/,
    'there is no other member that could give its version: put back a copy of the whole data directory that was made while this member was stopped. ' +
    'If there is none: kintsugi recover --force-new-cluster --data-dir DIR --dry-run says what can be had without'],
];

/** One line for the terminal, in addition to the log. */
export function explainFatal(error: unknown): string {
  const message = messageOf(error);
  const advice = ADVICE.find(([pattern]) => pattern.test(message))?.[1];
  return `kintsugi: ${message}${advice === undefined ? '' : `\n  try: ${advice}.`}\n`;
}
