/** Why an entry of the log cannot be carried out here. */

import { KintsugiError } from '../../base/errors.js';

export type EntryErrorCode =
  /** The bytes are not those that the proposer made: this copy is damaged. */
  | 'ENTRY_DAMAGED'
  /** Sound, and of a kind or format that this program, older than the proposer, does not know. */
  | 'ENTRY_UNKNOWN';

export class EntryError extends KintsugiError<EntryErrorCode> {
  override readonly name = 'EntryError';
}
