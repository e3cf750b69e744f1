/** Where this server and node:http2 (nghttp2) may differ, and why. */

import { PlainDecoder, type Pair } from '../../hpack/testing/plain-hpack.js';
import { F, T, type Frame } from '../frames.js';

export interface Difference {
  /** The stream; 0: the connection. */
  readonly id: number;
  readonly ours: string;
  readonly node: string;
}

const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^(?![ \t])[\t\x20-\x7e\x80-\xff]*(?<![ \t])$/;

/** The fields of each header block, up to one that is broken. */
function* blocksOf(frames: readonly Frame[]): Generator<readonly Pair[]> {
  const decoder = new PlainDecoder();
  let parts: Buffer[] = [];
  for (const { type, flags, payload } of frames) {
    if (type !== T.HEADERS && type !== T.CONTINUATION) continue;
    let part = payload;
    if (type === T.HEADERS) {
      parts = [];
      if ((flags & F.PADDED) !== 0) part = part.subarray(1, part.length - (part[0] ?? 0));
      if ((flags & F.PRIORITY) !== 0) part = part.subarray(5);
    }
    parts.push(part);
    if ((flags & F.END_HEADERS) === 0) continue;
    try {
      yield decoder.decode(Buffer.concat(parts));
    } catch {
      return;
    }
  }
}

/** What the client has said. */
export class Said {
  readonly frames: readonly Frame[];
  /** Authorities of its requests, by stream. */
  readonly authorities: ReadonlyMap<number, string | undefined>;

  /** Bytes of a frame that has not ended. */
  readonly restBytes: number;

  constructor(frames: readonly Frame[], restBytes: number, authorities: ReadonlyMap<number, string | undefined>) {
    this.frames = frames;
    this.restBytes = restBytes;
    this.authorities = authorities;
  }

  has(type: number, id: number): boolean {
    return this.frames.some((one) => one.type === type && one.id === id);
  }

  /** A closed stream: after its END_STREAM or RST_STREAM, or below another that began before. */
  get uses(): 'as it should' | 'a closed stream' {
    const ended = new Set<number>();
    const begun = new Set<number>();
    let last = 0;
    for (const { type, flags, id } of this.frames) {
      if (type !== T.HEADERS && type !== T.DATA && type !== T.RST_STREAM) continue;
      if (ended.has(id) || (!begun.has(id) && id <= last)) return 'a closed stream';
      if (type === T.HEADERS) begun.add(id);
      last = Math.max(last, id);
      if (type === T.RST_STREAM || (flags & F.END_STREAM) !== 0) ended.add(id);
    }
    return 'as it should';
  }

  /** Values of a setting, in all SETTINGS from one on. */
  settings(wanted: number, from = 0): number[] {
    return this.frames.filter(({ type }) => type === T.SETTINGS).slice(from).flatMap(({ payload }) => {
      const values: number[] = [];
      for (let at = 0; at + 6 <= payload.length; at += 6) {
        if (payload.readUInt16BE(at) === wanted) values.push(payload.readUInt32BE(at + 2));
      }
      return values;
    });
  }

  /** It goes by the server's SETTINGS, and says so where a client does. */
  get acknowledgesAtOnce(): boolean {
    const at = this.frames.findIndex(({ type, flags, id }) => type === T.SETTINGS && (flags & F.ACK) !== 0 && id === 0);
    return at >= 0 && this.frames.slice(0, at).every(({ type }) => type !== T.DATA);
  }

  /** The last header block has not ended. */
  get hasOpenBlock(): boolean {
    const last = this.frames.findLast(({ type }) => type === T.HEADERS || type === T.CONTINUATION);
    return last !== undefined && (last.flags & F.END_HEADERS) === 0;
  }

  get hasOddScheme(): boolean {
    return [...blocksOf(this.frames)].some((fields) => fields.some(([name, value]) => name === ':scheme' && !/^https?$/.test(value)));
  }

  /** A request names a host beside its authority. */
  get namesHosts(): boolean {
    return [...blocksOf(this.frames)].some((fields) => fields.some(([name]) => name === 'host'));
  }

  /** One of SETTINGS is right; PINGs it was sent none. */
  get acknowledgements(): number {
    return this.frames.reduce((sum, { type, flags }) => {
      if ((flags & F.ACK) === 0) return sum;
      return sum + (type === T.SETTINGS ? 1 : type === T.PING ? 2 : 0);
    }, 0);
  }

  /** A name or a value has a character that it must not have. */
  get fieldsCannotBe(): boolean {
    return [...blocksOf(this.frames)].some((fields) => fields.some(([name, value]) => !NAME.test(name) || !VALUE.test(value)));
  }

  /** Bytes of payload that the client takes in all, and those that it asks for. */
  get connectionIsNarrow(): boolean {
    const given = this.frames.filter(({ type, id, payload }) => type === T.WINDOW_UPDATE && id === 0 && payload.length === 4)
      .reduce((sum, { payload }) => sum + (payload.readUInt32BE(0) & 0x7fff_ffff), 65_535);
    return this.frames.filter(({ type }) => type === T.DATA).reduce((sum, { payload }) => sum + payload.length + 5, 0) > given;
  }
}

const MAX_CONTINUATIONS = 8;

/** More CONTINUATIONs in a row than nghttp2 takes. */
function inManyPieces(frames: readonly Frame[]): boolean {
  let pieces = 0;
  for (const { type } of frames) {
    pieces = type === T.CONTINUATION ? pieces + 1 : 0;
    if (pieces > MAX_CONTINUATIONS) return true;
  }
  return false;
}

const isEmptyUpdate = ({ type, id, payload }: Frame): boolean =>
  type === T.WINDOW_UPDATE && id !== 0 && payload.length === 4 && (payload.readUInt32BE(0) & 0x7fff_ffff) === 0;

const isTooMuch = ({ type, id, payload }: Frame): boolean =>
  type === T.WINDOW_UPDATE && id !== 0 && payload.length === 4 && (payload.readUInt32BE(0) & 0x7fff_ffff) > 0x7fff_0000;

interface Permission {
  readonly name: string;
  readonly why: string;
  readonly holds: (difference: Difference, said: Said) => boolean;
}

const AUTHORITY = /^[\w.-]+(:\d+)?$/;
const flows = ({ ours, node }: Difference): boolean => [ours, node].every((one) => one === 'answered' || one === 'begun');

export const PERMITTED: readonly Permission[] = [
  {
    name: 'answered before the reset',
    why: "we answer as soon as a request has ended, node:http2 a turn later: by then it has read the client's reset",
    holds: ({ id }, said) => id !== 0 && said.has(T.RST_STREAM, id),
  },
  {
    name: 'GOAWAY of the client',
    why: 'what runs then is answered here (RFC 9113, 6.8); node:http2 drops it',
    holds: (_difference, said) => said.frames.some(({ type }) => type === T.GOAWAY),
  },
  {
    name: 'a stream that is closed goes on',
    why: 'a stream or a connection error, or nothing, by who notices what first (RFC 9113, 5.1): nghttp2 ignores what may be late, '
      + 'and ends the connection after END_STREAM; here it is the other way round',
    holds: (_difference, said) => said.uses === 'a closed stream',
  },
  {
    name: 'an authority that is none',
    why: 'etcd clients send lists and URLs there, or nothing, and grpc-go takes them; nghttp2 resets the stream',
    holds: ({ id, node }, said) => node === 'reset' && said.authorities.has(id) && (said.namesHosts || !AUTHORITY.test(said.authorities.get(id) ?? '')),
  },
  {
    name: 'answered before the window shrank',
    why: 'a later SETTINGS makes windows smaller (RFC 9113, 6.9.2), and node:http2 answers after it has read it',
    holds: (difference, said) => flows(difference) && said.settings(4, 1).length > 0,
  },
  {
    name: "the connection's window is used up",
    why: 'which of the answers goes first is free',
    holds: (difference, said) => flows(difference) && said.connectionIsNarrow,
  },
  {
    name: 'settings of extensions',
    why: 'RFC 8441 and RFC 9218 say that theirs are 0 or 1; who does not speak them ignores them (RFC 9113, 6.5.2)',
    holds: ({ id }, said) => id === 0 && [...said.settings(8), ...said.settings(9)].some((value) => value > 1),
  },
  {
    name: 'answered before too much window',
    why: 'a stream that is closed takes no harm from a window that is too large (RFC 9113, 6.9.1); of node:http2 it is open yet',
    holds: ({ id, ours, node }, said) => ours === 'answered' && node === 'reset' && said.has(T.WINDOW_UPDATE, id),
  },
  {
    name: 'settings that are not acknowledged',
    why: 'who has not taken our larger window yet may use it all the same; nghttp2 holds it to 65,535 bytes',
    holds: (_difference, said) => !said.acknowledgesAtOnce,
  },
  {
    name: 'a scheme that is none',
    why: 'a server of gRPC does not look at it; nghttp2 does',
    holds: ({ ours, node }, said) => ours === 'answered' && node === 'reset' && said.hasOddScheme,
  },
  {
    name: 'a header block that does not end',
    why: 'it is read here when it is whole; nghttp2 reads what has come',
    holds: ({ ours, node }, said) => ours === 'nothing' && node === 'reset' && said.hasOpenBlock,
  },
  {
    name: 'a frame that is known to be wrong by its header',
    why: 'nghttp2 does not wait for its end',
    holds: ({ ours }, said) => (ours === 'goes on' || ours === 'nothing') && said.restBytes > 0,
  },
  {
    name: 'a PRIORITY of another size',
    why: 'a stream error FRAME_SIZE_ERROR (RFC 9113, 6.3), which nghttp2 makes one of the connection',
    holds: ({ id }, said) => id === 0 && said.frames.some(({ type, payload }) => type === T.PRIORITY && payload.length !== 5),
  },
  {
    name: 'a window of a stream that overflows',
    why: 'a stream error FLOW_CONTROL_ERROR (RFC 9113, 6.9.1); node:http2 may end its session for it',
    holds: ({ id, ours }, said) => id === 0 && ours === 'goes on' && (said.frames.some(isTooMuch) || said.settings(4).some((value) => value > 0x7fff_0000)),
  },
  {
    name: 'a WINDOW_UPDATE of nothing',
    why: 'a stream error PROTOCOL_ERROR (RFC 9113, 6.9), which nghttp2 makes one of the connection',
    holds: ({ id }, said) => id === 0 && said.frames.some(isEmptyUpdate),
  },
  {
    name: 'an acknowledgement of nothing',
    why: 'RFC 9113 does not say what a SETTINGS or PING acknowledgement that nobody waits for is; here it is nothing',
    holds: ({ id, ours }, said) => id === 0 && ours === 'goes on' && said.acknowledgements > 1,
  },
  {
    name: 'a header block in many frames',
    why: 'nghttp2 counts CONTINUATIONs and takes eight; here their bytes and their time are bounded',
    holds: ({ id, ours }, said) => id === 0 && ours === 'goes on' && inManyPieces(said.frames),
  },
  {
    name: 'fields that cannot be',
    why: 'a request with a character that no name or value may have is malformed (RFC 9113, 8.2.1), and grpc-go resets it too; '
      + 'nghttp2 leaves that field out',
    holds: ({ ours, node }, said) => ours === 'reset' && flows({ id: 0, ours: node, node }) && said.fieldsCannotBe,
  },
];

export function permitted(difference: Difference, said: Said): string | undefined {
  return PERMITTED.find(({ holds }) => holds(difference, said))?.name;
}
