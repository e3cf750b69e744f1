/**
 * A bit that flips in the memory of a sender: in the payload of one entry, before the frame is
 * made. So the frame itself is sound, and only the envelope of the entry tells. The sender's own
 * copy stays as it was.
 */

import { ByteWriter } from '../../base/bytes.js';
import { decodeMessages, writeMessages } from '../../raft/message-codec.js';
import { FRAME_RAFT } from '../../replica/wire/frame.js';
import type { Stream } from '../world/random.js';

/** The frame as it is sent then; undefined: no entry is in it. */
export function flipEntry(frame: Uint8Array, random: Stream): Uint8Array | undefined {
  if (frame[0] !== FRAME_RAFT) return undefined;
  const messages = decodeMessages(frame, 1);
  const places = messages.flatMap(({ entries }, message) =>
    entries.flatMap(({ type, data }, entry) => (type === 'normal' && data.length > 0 ? [{ message, entry }] : [])));
  if (places.length === 0) return undefined;
  const place = random.pick(places);
  const flipped = messages.map((message, at) => {
    if (at !== place.message) return message;
    const entries = message.entries.map((entry, i) => {
      if (i !== place.entry) return entry;
      const data = entry.data.slice();
      const bit = random.below(8 * data.length);
      data[bit >> 3] = (data[bit >> 3] as number) ^ (1 << (bit & 7));
      return { ...entry, data };
    });
    return { ...message, entries };
  });
  const out = new ByteWriter(frame.length + 16).u8(FRAME_RAFT);
  writeMessages(out, flipped);
  return out.finish();
}
