/**
 * The JSON gateway of a server under comparison: what is asked and what is answered, with the
 * status and the type of the answer. Names, their order and what is left out count; bytes stay
 * base64.
 */

import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Peer } from './peer.js';

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const DEADLINE_MS = 8_000;
const TOLD_HEADERS = ['content-type', 'grpc-metadata-content-type', 'www-authenticate'];

export class JsonDoor {
  readonly #peer: Peer;
  #token: string | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** Later requests bear it; undefined: none. */
  useToken(token: string | undefined): void {
    this.#token = token;
  }

  /** Tells the answer, and gives its body: undefined if it is no JSON. A text is sent as it is. */
  async post(path: string, body: unknown, ask: Ask = {}): Promise<Record<string, unknown> | undefined> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const { method = 'POST', headers = {} } = ask;
    const call = `${method} ${path} ${shown(headers)}${text.length > 200 ? `(${text.length} bytes)` : text}`;
    const sent = this.#request(path, method, headers);
    sent.end(text);
    const answer = await answered(sent).catch(() => undefined);
    const parsed = answer === undefined ? '' : parse(await whole(answer));
    this.#tell(call, answer, parsed);
    return typeof parsed === 'object' ? (parsed as Record<string, unknown>) : undefined;
  }

  /** The same, untold. */
  async quietly(path: string, body: unknown): Promise<Record<string, unknown>> {
    const sent = this.#request(path, 'POST', {});
    sent.end(JSON.stringify(body));
    return parse(await whole(await answered(sent))) as Record<string, unknown>;
  }

  /** A request of many values, left open. */
  stream(path: string, headers: Readonly<Record<string, string>> = {}): JsonStream {
    const sent = this.#request(path, 'POST', headers);
    sent.flushHeaders();
    return new JsonStream(sent, path, (call, answer, line) => this.#tell(call, answer, line));
  }

  #request(path: string, method: string, headers: Readonly<Record<string, string>>): ClientRequest {
    const token = this.#token === undefined ? {} : { authorization: this.#token };
    return request(`${this.#peer.url}${path}`, { method, agent: false, headers: { 'content-type': 'application/json', ...token, ...headers } });
  }

  #tell(call: string, answer: IncomingMessage | undefined, body: unknown): void {
    const headers = TOLD_HEADERS.map((name) => answer?.headers[name]).filter((value) => value !== undefined).join(', ');
    this.#peer.tellBody(call, `${answer?.statusCode ?? 'no answer'} (${headers})`, body);
  }
}

/** A stream of values and the lines of its answer. */
export class JsonStream {
  readonly #sent: ClientRequest;
  readonly #path: string;
  readonly #told: (call: string, answer: IncomingMessage | undefined, line: unknown) => void;
  readonly #lines: string[] = [];
  #answer: IncomingMessage | undefined;
  #rest = '';
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(sent: ClientRequest, path: string, told: (call: string, answer: IncomingMessage | undefined, line: unknown) => void) {
    this.#sent = sent;
    this.#path = path;
    this.#told = told;
    sent.on('error', () => this.#end()).on('response', (answer) => {
      this.#answer = answer;
      answer.setEncoding('utf8').on('data', (text: string) => this.#hear(text)).on('error', () => undefined).on('close', () => this.#end());
    });
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() as string;
    this.#lines.push(...lines);
    this.#wake();
  }

  #end(): void {
    if (this.#rest !== '') this.#lines.push(this.#rest);
    this.#rest = '';
    this.#ended = true;
    this.#wake();
  }

  /** Sends a value, a text as it is, and tells the next line; `nothing` if none comes in time. */
  async ask(value: unknown, withinMs = 2_000): Promise<void> {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.#sent.write(text);
    await this.next(text, withinMs);
  }

  /** Nothing more will be sent. */
  async finish(withinMs = 500): Promise<void> {
    this.#sent.end();
    await this.next('the request ends', withinMs);
  }

  async next(why: string, withinMs = 2_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (this.#lines.length === 0 && !this.#ended && Date.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const line = this.#lines.shift();
    this.#told(`POST ${this.#path} ${why}`, this.#answer, line === undefined ? (this.#ended ? 'the end' : 'nothing') : parse(line));
  }

  close(): void {
    this.#sent.destroy();
  }
}

function answered(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.setTimeout(DEADLINE_MS, () => sent.destroy(new Error('no answer in time')));
    sent.on('response', resolve).on('error', reject);
  });
}

/** What there is of it, if it is broken off. */
async function whole(answer: IncomingMessage): Promise<string> {
  const said: Buffer[] = [];
  try {
    for await (const chunk of answer) said.push(chunk as Buffer);
  } catch {
    said.push(Buffer.from(' (broken off)'));
  }
  return Buffer.concat(said).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function shown(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value} `).join('');
}
