/** The four copies of a hard state, as a file has them. */

import { codeOf } from '../../../base/errors.js';
import { decodeSlot, SLOT_BYTES, SLOT_PAGES, slotOffset, type HardStateRecord } from '../../../replica/hard-state/slots.js';

export const HARD_STATE = 'hardstate';
/** Copies that a record must be in before anything reflects it. */
export const MUST_HOLD = 3;

/** Undefined for one that is not sound. */
export function slotsOf(file: Uint8Array | undefined): (HardStateRecord | undefined)[] {
  if (file === undefined) return [];
  return SLOT_PAGES.map((_, slot) => {
    try {
      return decodeSlot(file.subarray(slotOffset(slot), slotOffset(slot) + SLOT_BYTES), slot);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  });
}
