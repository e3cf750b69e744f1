/**
 * Small questions of one member to another over the streams that they have anyway: a question is a
 * frame like any other, where a call of gRPC costs as much as a hundred of them. Its answer comes
 * over the stream of the other direction. Who asks hears once: the answer, or that it will not
 * come, because either stream is over or the time is. Both frames begin with a byte that no frame
 * of the members' own begins with.
 */

import { ByteReader, ByteWriter, fromUtf8, KiB } from '../../base/bytes.js';
import { Deferred } from '../../base/deferred.js';
import type { Clock, Timer } from '../../base/env.js';
import { messageOf, NetworkError } from '../../base/errors.js';

const QUESTION = 0xf0;
const ANSWER = 0xf1;
/** Of the answer to a stream: it takes questions of this format; without it none is sent. */
export const ASKS_FORMAT = 1;
/** Answers of more are refused: they would hold up what is prompt. */
const ANSWER_BYTES = 64 * KiB;
const MAX_WAITING = 1_024;

interface Asked {
  readonly method: string;
  readonly answer: Deferred<Uint8Array>;
  readonly timer: Timer;
}

/** What one member has asked another. */
export class Asks {
  readonly #clock: Clock;
  /** Of whom is asked. */
  readonly #address: string;
  readonly #waiting = new Map<number, Asked>();
  #asked = 0;

  constructor(clock: Clock, address: string) {
    this.#clock = clock;
    this.#address = address;
  }

  /** `send`: takes the frame. Rejects with NetworkError. */
  ask(method: string, request: Uint8Array, timeoutMs: number, send: (frame: Uint8Array) => void): Promise<Uint8Array> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new NetworkError('UNREACHABLE', `${this.#address} is asked too much`));
    const id = ++this.#asked;
    const timer = this.#clock.setTimer(timeoutMs, () => this.#fail(id, new NetworkError('TIMEOUT', `${method} at ${this.#address}`)));
    const answer = new Deferred<Uint8Array>();
    this.#waiting.set(id, { method, answer, timer });
    send(new ByteWriter(32 + request.length).u8(QUESTION).varint(id).text(method).bytes(request).finish());
    return answer.promise;
  }

  /** An answer has come. One that is late finds nobody. Throws CodecError. */
  answered(frame: Uint8Array): void {
    const input = new ByteReader(frame, 'an answer', 1);
    const id = input.varint();
    const fine = input.u8() === 1;
    const bytes = input.bytes();
    input.end();
    if (!fine) return this.#fail(id, new NetworkError('REMOTE', fromUtf8(bytes)));
    this.#take(id)?.answer.resolve(bytes);
  }

  /** None will come. */
  lost(): void {
    for (const [id, { method }] of this.#waiting) this.#fail(id, new NetworkError('UNREACHABLE', `${method} at ${this.#address}: the stream is over`));
  }

  #fail(id: number, error: NetworkError): void {
    this.#take(id)?.answer.reject(error);
  }

  #take(id: number): Asked | undefined {
    const asked = this.#waiting.get(id);
    this.#waiting.delete(id);
    asked?.timer.cancel();
    return asked;
  }
}

interface Question {
  readonly id: number;
  readonly method: string;
  readonly request: Uint8Array;
}

type Handle = (method: string, request: Uint8Array) => Promise<Uint8Array>;

export const isQuestion = (frame: Uint8Array): boolean => frame[0] === QUESTION;
export const isAnswer = (frame: Uint8Array): boolean => frame[0] === ANSWER;

/** The frame of the answer, whatever becomes of it. */
export async function answerTo({ id, method, request }: Question, handle: Handle): Promise<Uint8Array> {
  try {
    const answer = await handle(method, request);
    if (answer.length > ANSWER_BYTES) throw new NetworkError('TOO_LARGE', `${method}: an answer of ${answer.length} bytes`);
    return new ByteWriter(16 + answer.length).u8(ANSWER).varint(id).u8(1).bytes(answer).finish();
  } catch (error) {
    return new ByteWriter(128).u8(ANSWER).varint(id).u8(0).text(messageOf(error)).finish();
  }
}

/** Throws CodecError. */
export function readQuestion(frame: Uint8Array): Question {
  const input = new ByteReader(frame, 'a question', 1);
  const question = { id: input.varint(), method: input.text(), request: input.bytes() };
  input.end();
  return question;
}
