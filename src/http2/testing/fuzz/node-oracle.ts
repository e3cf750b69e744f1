/** node:http2 on bytes in memory: as a server for a client's bytes, as a client for a server's. */

import { Duplex } from 'node:stream';
import { connect, createServer, type ClientHttp2Session, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { F, T, frame, parseFrames, type Frame } from '../frames.js';
import { PREFIX } from '../responses.js';

/** A socket whose other end is a test. */
class Wire extends Duplex {
  readonly #said: Buffer[] = [];
  /** Its owner has closed it. */
  finished = false;

  constructor() {
    super();
    this.on('error', () => undefined);
  }

  get said(): Buffer {
    return Buffer.concat(this.#said);
  }

  get chunks(): number {
    return this.#said.length;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#said.push(Buffer.from(chunk));
    done();
  }

  override _final(done: () => void): void {
    this.finished = true;
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.finished = true;
    done(error);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** So many turns without a sign of work: there is none left, as nothing waits for a network. */
const QUIET_TURNS = 6;

async function quiet(signs: () => number): Promise<void> {
  let before = signs();
  for (let calm = 0; calm < QUIET_TURNS; calm++) {
    await turn();
    const now = signs();
    if (now !== before) calm = -1;
    before = now;
  }
}

export interface NodeServerOptions {
  readonly maxConcurrentStreams: number;
  readonly maxHeaderListBytes: number;
  readonly streamWindowBytes: number;
}

export interface NodeRequest {
  readonly id: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answered {
  readonly output: Buffer;
  readonly closed: boolean;
  /** Requests that came whole. */
  readonly requests: readonly NodeRequest[];
}

/** node:http2's server that answers each request with its body, as `echo` does. */
export class NodeServer {
  readonly #server: Http2Server;
  #requests: NodeRequest[] = [];
  #signs = 0;

  constructor(options: NodeServerOptions) {
    this.#server = createServer({
      settings: {
        maxConcurrentStreams: options.maxConcurrentStreams, maxHeaderListSize: options.maxHeaderListBytes,
        initialWindowSize: options.streamWindowBytes, enablePush: false,
      },
      maxHeaderListPairs: 100_000, maxSessionMemory: 1_000, maxSessionInvalidFrames: 1e6, maxSessionRejectedStreams: 1e6,
      maxOutstandingPings: 1e6, maxSettings: 1e6, unknownProtocolTimeout: 1e6,
    });
    this.#server.on('stream', (stream, headers) => this.#stream(stream, headers));
    this.#server.on('sessionError', () => undefined);
    this.#server.on('session', (session) => {
      session.on('error', () => undefined);
      // As large as that of the server it is compared with.
      session.setLocalWindowSize(16 * 1024 * 1024);
    });
  }

  async serve(bytes: Uint8Array): Promise<Answered> {
    const wire = new Wire();
    this.#requests = [];
    this.#server.emit('connection', wire);
    wire.push(Buffer.from(bytes));
    await quiet(() => wire.chunks + this.#signs);
    const closed = wire.finished;
    const output = wire.said;
    wire.destroy();
    await turn();
    return { output, closed, requests: this.#requests };
  }

  #stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const parts: Buffer[] = [PREFIX as Buffer];
    const id = stream.id ?? 0;
    this.#signs++;
    stream.on('error', () => undefined);
    stream.on('data', (part: Buffer) => {
      this.#signs++;
      parts.push(part);
    });
    stream.on('end', () => {
      this.#signs++;
      this.#requests.push({ id, headers, body: Buffer.concat(parts.slice(1)) });
      if (stream.destroyed || stream.closed) return;
      stream.respond({ ':status': 200, 'content-type': 'application/x' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-status': '0' }));
      stream.end(Buffer.concat(parts));
    });
  }
}

interface Heard {
  status: number | undefined;
  body: Buffer;
  trailers: string | undefined;
  /** Of the reset, 0 if there was none; undefined: the stream is open. */
  code: number | undefined;
}

export interface Understood {
  /** Why the whole session ended, if it did. */
  readonly error: string | undefined;
  readonly streams: ReadonlyMap<number, Readonly<Heard>>;
}

/** What the types of Node do not tell of its session. */
interface Numbered {
  setNextStreamID(id: number): void;
}

/**
 * What node:http2's client understands of what a server has said to another client. That one's
 * pings and settings it has not sent, so their acknowledgements are left out, but for the first.
 */
export async function understood(output: Buffer): Promise<Understood> {
  const { frames } = parseFrames(output);
  const ids = [...new Set(frames.filter(({ type, id }) => id !== 0 && type !== T.WINDOW_UPDATE).map(({ id }) => id))].sort((a, b) => a - b);
  const wire = new Wire();
  let signs = 0;
  let error: string | undefined;
  const client = connect('http://x', {
    createConnection: () => wire, settings: { initialWindowSize: 0x7fff_ffff, enablePush: false }, maxSessionMemory: 1_000,
  }) as ClientHttp2Session & Numbered;
  client.on('error', (fault: Error) => (error ??= fault.message));
  client.on('connect', () => client.setLocalWindowSize(0x7fff_ffff));
  await turn();
  const settings = frames.findIndex(({ type, flags }) => type === T.SETTINGS && (flags & F.ACK) !== 0);
  const isAnswer = ({ type, flags }: Frame): boolean => (flags & F.ACK) !== 0 && (type === T.SETTINGS || type === T.PING);
  const heard = frames.filter((one, at) => at === settings || !isAnswer(one));
  const [first, ...rest] = heard;
  // The server's settings say how many streams there may be; they come before the requests.
  if (first !== undefined) wire.push(frame(first.type, first.flags, first.id, first.payload));
  await turn();
  const streams = new Map<number, Heard>();
  for (const id of ids) {
    client.setNextStreamID(id);
    const stream = client.request({ ':method': 'POST', ':path': '/' }, { endStream: true });
    const seen: Heard = { status: undefined, body: Buffer.alloc(0), trailers: undefined, code: undefined };
    streams.set(id, seen);
    const parts: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('response', (headers) => (seen.status = headers[':status']));
    stream.on('trailers', (headers) => (seen.trailers = String(headers['x-status'])));
    stream.on('data', (part: Buffer) => {
      signs++;
      parts.push(part);
    });
    stream.on('close', () => {
      signs++;
      seen.code = stream.rstCode;
      seen.body = Buffer.concat(parts);
    });
  }
  await turn();
  if (rest.length > 0) wire.push(Buffer.concat(rest.map(({ type, flags, id, payload }) => frame(type, flags, id, payload))));
  await quiet(() => signs + wire.chunks);
  client.destroy();
  await turn();
  return { error, streams };
}
