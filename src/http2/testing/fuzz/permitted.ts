/**
 * Where this server and node:http2 (nghttp2) may differ, and why. A permission looks at the frames
 * of the one stream that differs, and says what either side may have made of it; one of the
 * connection looks at the frame that ended it on one side. Whatever else is in the session permits
 * nothing.
 */

import type { Pair } from '../../hpack/testing/plain-hpack.js';
import { MAX_WINDOW, StreamTrace, type Trace } from './trace.js';

/** What the two have made of one stream, or of the connection. */
export interface Difference {
  /** The stream; 0: the connection. */
  readonly id: number;
  readonly ours: string;
  readonly node: string;
}

interface Permission<Of> {
  readonly name: string;
  readonly why: string;
  /** What each side may have made of it. */
  readonly ours: readonly string[];
  readonly node: readonly string[];
  readonly holds: (of: Of, trace: Trace) => boolean;
}

const AUTHORITY = /^[\w.-]+(:\d+)?$/;
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^(?![ \t])[\t\x20-\x7e\x80-\xff]*(?<![ \t])$/;
const PATH = /^(\*|\/[\x21-\x7e\x80-\xff]*)$/;
/** Bytes that `echo` puts before the body. */
const PREFIX_BYTES = 5;
/** CONTINUATIONs in a row that nghttp2 takes. */
const MAX_CONTINUATIONS = 8;
const MAX_FRAME = 16_384;

const cannotBe = ([name, value]: Pair): boolean => !NAME.test(name) || !VALUE.test(value);
const isBad = (fields: readonly Pair[] | undefined): boolean => fields?.some(cannotBe) ?? false;
const answerBytes = (stream: StreamTrace): number => stream.bodyBytes + PREFIX_BYTES;

/** One whose end has not come has no answer. */
const NOT_RESET = ['answered', 'begun', 'nothing'];

const OF_STREAM: readonly Permission<StreamTrace>[] = [
  {
    name: 'answered before the reset',
    why: 'what has ended is answered at once; node:http2 answers a turn later, and has read the reset by then',
    ours: ['answered', 'begun'], node: ['nothing', 'reset', 'begun'],
    holds: ({ endedAt, resetAt }) => endedAt < resetAt && resetAt < Infinity,
  },
  {
    name: 'a frame of a stream that is closed',
    why: 'a stream error, a connection error or nothing, by how long who remembers what (RFC 9113, 5.1)',
    ours: ['answered', 'begun', 'reset', 'nothing'], node: ['answered', 'begun', 'reset', 'nothing'],
    holds: ({ usedClosedAt }) => usedClosedAt < Infinity,
  },
  {
    name: 'an authority that is none',
    why: 'etcd clients send lists and URLs there, or nothing, or a host besides, and grpc-go takes them (RFC 9113, 8.3.1)',
    ours: NOT_RESET, node: ['reset'],
    holds: (stream) => stream.fields !== undefined
      && (stream.values('host').length > 0 || !AUTHORITY.test(stream.values(':authority').at(-1) ?? '')),
  },
  {
    name: 'a scheme that is none',
    why: 'RFC 9113, 8.3.1, allows others than http and https; nghttp2 does not',
    ours: NOT_RESET, node: ['reset'],
    holds: (stream) => stream.values(':scheme').some((scheme) => !/^https?$/.test(scheme)),
  },
  {
    name: 'a path that is none',
    why: 'a path begins with a slash and has no blank (RFC 9113, 8.3.1); as in grpc-go it is for the layer above to find no method there',
    ours: NOT_RESET, node: ['reset'],
    holds: (stream) => stream.values(':path').some((path) => path !== '' && !PATH.test(path)),
  },
  {
    name: 'one length, said twice',
    why: 'RFC 9110, 8.6, lets a recipient refuse equal lengths or take them as one',
    ours: NOT_RESET, node: ['reset'],
    holds: (stream) => stream.values('content-length').length > 1,
  },
  {
    name: 'a length, said after the body',
    why: 'content-length may not stand in trailers and frames nothing there (RFC 9110, 6.5.1); nghttp2 holds the body to it',
    ours: NOT_RESET, node: ['reset'],
    holds: ({ trailers, bodyBytes }) => trailers?.some(([name, value]) => name === 'content-length' && value !== String(bodyBytes)) ?? false,
  },
  {
    name: 'fields that cannot be',
    why: 'a request with a character that no name or value may have is malformed (RFC 9113, 8.2.1), and grpc-go resets it too; '
      + 'nghttp2 leaves that field out',
    ours: ['reset'], node: NOT_RESET,
    holds: ({ fields, trailers }) => isBad(fields) || isBad(trailers),
  },
  {
    name: 'answered before the window shrank',
    why: 'a later SETTINGS makes windows smaller (RFC 9113, 6.9.2), and node:http2 answers after it has read it',
    ours: ['answered'], node: ['begun'],
    holds: (stream, trace) => trace.shrinksAfter(stream.endedAt) && answerBytes(stream) > trace.windowOf(stream),
  },
  {
    name: "the connection's window is used up",
    why: 'which of the answers goes first is free (RFC 9113, 5.2)',
    ours: ['answered', 'begun'], node: ['answered', 'begun'],
    holds: (_stream, trace) => trace.requestedBytes(PREFIX_BYTES) > trace.connectionWindow,
  },
  {
    name: 'answered before too much window',
    why: 'a stream that is closed takes no harm from a window that is too large (RFC 9113, 6.9.1); of node:http2 it is open yet',
    ours: ['answered'], node: ['reset'],
    holds: (stream, trace) => stream.endedAt < (stream.updates.at(-1)?.at ?? -1)
      && trace.widestOf(stream) > MAX_WINDOW - answerBytes(stream),
  },
  {
    name: 'more than a window that was not acknowledged',
    why: 'who has not taken our larger window yet may use it all the same; nghttp2 holds it to 65,535 bytes',
    ours: ['answered', 'begun'], node: ['reset', 'nothing'],
    holds: ({ bytesBeforeAck }) => bytesBeforeAck > 65_535,
  },
  {
    name: 'a header block that does not end',
    why: 'it is read here when it is whole; nghttp2 reads what has come',
    ours: ['nothing'], node: ['reset'],
    holds: ({ openBlock }) => openBlock,
  },
  {
    name: 'a frame that is known to be wrong by its header',
    why: 'nghttp2 does not wait for its end',
    ours: ['nothing', 'answered'], node: ['reset'],
    holds: ({ id }, trace) => trace.unfinished === id,
  },
];

const GOES_ON = ['goes on'];
/** node:http2 may close without a word, for whatever it holds to be an error. */
const CLOSED = 'connection error undefined';
const PROTOCOL_ERROR = 'connection error 1';
const INTERNAL_ERROR = 'connection error 2';
const FLOW_CONTROL_ERROR = 'connection error 3';
const STREAM_CLOSED = 'connection error 5';
const FRAME_SIZE_ERROR = 'connection error 6';
const COMPRESSION_ERROR = 'connection error 9';

const some = (trace: Trace, holds: (stream: StreamTrace) => boolean): boolean => [...trace.streams.values()].some(holds);

const OF_CONNECTION: readonly Permission<Trace>[] = [
  {
    name: 'GOAWAY of the client',
    why: 'what runs then is answered here, and the connection is the client\'s to close (RFC 9113, 6.8); node:http2 closes it',
    ours: GOES_ON, node: [INTERNAL_ERROR, CLOSED],
    holds: ({ goaways }) => goaways > 0,
  },
  {
    name: 'more padding than there is frame',
    why: 'a connection error PROTOCOL_ERROR (RFC 9113, 6.1); nghttp2 passes over the frame if it has reset the stream',
    ours: [PROTOCOL_ERROR], node: GOES_ON,
    holds: ({ overPadded }) => overPadded.length > 0,
  },
  {
    name: 'a frame of a stream that is closed',
    why: 'a stream error or one of the connection, by how long who remembers what (RFC 9113, 5.1): nghttp2 ignores a header block of an '
      + 'id that was passed over, and ends the connection after END_STREAM; here it is the other way round',
    ours: [...GOES_ON, STREAM_CLOSED], node: [...GOES_ON, STREAM_CLOSED, PROTOCOL_ERROR, CLOSED],
    holds: (trace) => some(trace, ({ usedClosedAt }) => usedClosedAt < Infinity),
  },
  {
    name: 'an acknowledgement of nothing',
    why: 'RFC 9113 does not say what a SETTINGS or PING acknowledgement that nobody waits for is; here it is nothing',
    ours: GOES_ON, node: [INTERNAL_ERROR, CLOSED],
    holds: ({ settingsAcks, pingAcks }) => settingsAcks > 1 || pingAcks > 0,
  },
  {
    name: 'settings of extensions',
    why: 'RFC 8441 and RFC 9218 say that theirs are 0 or 1; who does not speak them ignores them (RFC 9113, 6.5.2)',
    ours: GOES_ON, node: [INTERNAL_ERROR, CLOSED],
    holds: (trace) => [...trace.settings(8), ...trace.settings(9)].some((value) => value > 1),
  },
  {
    name: 'a PRIORITY of another size',
    why: 'a stream error FRAME_SIZE_ERROR (RFC 9113, 6.3), which nghttp2 makes one of the connection',
    ours: GOES_ON, node: [FRAME_SIZE_ERROR, CLOSED],
    holds: ({ oddPriorities, streams }) => oddPriorities.some((id) => streams.has(id)),
  },
  {
    name: 'a WINDOW_UPDATE of nothing',
    why: 'a stream error PROTOCOL_ERROR (RFC 9113, 6.9), which nghttp2 makes one of the connection',
    ours: GOES_ON, node: [PROTOCOL_ERROR, CLOSED],
    holds: (trace) => some(trace, ({ updates }) => updates.some(({ bytes }) => bytes === 0)),
  },
  {
    name: 'a window of a stream that overflows',
    why: 'a stream error FLOW_CONTROL_ERROR (RFC 9113, 6.9.1), and none of a stream that is closed; of node:http2 it may be open yet, '
      + 'and it may end its session for it',
    ours: GOES_ON, node: [FLOW_CONTROL_ERROR, CLOSED],
    holds: (trace) => some(trace, (stream) => trace.widestOf(stream) > MAX_WINDOW - answerBytes(stream)),
  },
  {
    name: 'a header block in many frames',
    why: 'nghttp2 counts CONTINUATIONs and takes eight; here their bytes and their time are bounded',
    ours: GOES_ON, node: [INTERNAL_ERROR, PROTOCOL_ERROR, CLOSED],
    holds: ({ continuations }) => continuations > MAX_CONTINUATIONS,
  },
  {
    name: 'a header block that does not end',
    why: 'it is read here when it is whole; nghttp2 reads what has come',
    ours: GOES_ON, node: [COMPRESSION_ERROR, CLOSED],
    holds: (trace) => some(trace, ({ openBlock }) => openBlock),
  },
  {
    name: 'a frame that is known to be wrong by its header',
    why: 'nghttp2 does not wait for its end',
    ours: GOES_ON, node: [PROTOCOL_ERROR, INTERNAL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR, CLOSED],
    holds: ({ unfinished }) => unfinished !== undefined,
  },
  {
    name: 'a frame that is known to be too large by its header',
    why: 'a connection error FRAME_SIZE_ERROR (RFC 9113, 4.2); of a CONTINUATION nghttp2 waits for the end',
    ours: [FRAME_SIZE_ERROR], node: GOES_ON,
    holds: ({ unfinishedBytes }) => unfinishedBytes > MAX_FRAME,
  },
];

export function permitted({ id, ours, node }: Difference, trace: Trace): string | undefined {
  const fits = (one: Permission<never>): boolean => one.ours.includes(ours) && one.node.includes(node);
  if (id === 0) return OF_CONNECTION.find((one) => fits(one) && one.holds(trace, trace))?.name;
  // Of its first frame only a part may have come.
  const stream = trace.streams.get(id) ?? (trace.unfinished === id ? new StreamTrace(id) : undefined);
  return stream === undefined ? undefined : OF_STREAM.find((one) => fits(one) && one.holds(stream, trace))?.name;
}
