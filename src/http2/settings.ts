/** SETTINGS of both sides (RFC 9113, 6.5). */

import { Http2Code } from './error-code.js';
import { MAX_31_BITS, MAX_FRAME_BYTES } from './frame.js';
import type { Http2Limits } from './limits.js';

export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

export const SETTING_BYTES = 6;

/** What we tell; all else is as the RFC has it from the start. */
export function settingsOf(limits: Http2Limits): readonly (readonly [id: number, value: number])[] {
  return [
    [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    [Setting.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
    [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
  ];
}

/** NO_ERROR, or what is wrong with a value that a peer has sent (RFC 9113, 6.5.2). */
export function errorOfSetting(id: number, value: number): number {
  switch (id) {
    case Setting.ENABLE_PUSH:
      return value > 1 ? Http2Code.PROTOCOL_ERROR : Http2Code.NO_ERROR;
    case Setting.INITIAL_WINDOW_SIZE:
      return value > MAX_31_BITS ? Http2Code.FLOW_CONTROL_ERROR : Http2Code.NO_ERROR;
    case Setting.MAX_FRAME_SIZE:
      return value < MAX_FRAME_BYTES || value > 0xff_ffff ? Http2Code.PROTOCOL_ERROR : Http2Code.NO_ERROR;
    default:
      return Http2Code.NO_ERROR;
  }
}
