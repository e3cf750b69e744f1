/** Seldom called methods go through reflection over the package's `.proto` files; 64-bit numbers come as strings. */

import { ClientError } from './errors.js';
import type { CallOptions, Caller } from './caller.js';
import { serviceMethods, type AnyMethod } from '../api/protos/protos.js';

export type Message = Readonly<Record<string, unknown>>;

export function methodOf(service: string, name: string): AnyMethod {
  const method = serviceMethods(service)[name];
  if (method === undefined) throw new ClientError('UNIMPLEMENTED', { details: `${service} has no method ${name}`, unsent: true });
  return method;
}

export async function coldUnary(
  caller: Caller, service: string, name: string, request: object, options: CallOptions, idempotent: boolean,
): Promise<Message> {
  const method = methodOf(service, name);
  const bytes = await caller.unary({ path: method.path, request: method.requestSerialize(request), idempotent }, options);
  return method.responseDeserialize(bytes) as Message;
}

export async function* coldStream(
  caller: Caller, service: string, name: string, request: object, options: CallOptions,
): AsyncGenerator<Message, void, undefined> {
  const method = methodOf(service, name);
  for await (const bytes of caller.stream(method.path, method.requestSerialize(request), options)) {
    yield method.responseDeserialize(bytes) as Message;
  }
}

export const numberOf = (message: Message, field: string): number => Number(message[field] ?? 0);
export const bigOf = (message: Message, field: string): bigint => BigInt(String(message[field] ?? 0));
export const textOf = (message: Message, field: string): string => String(message[field] ?? '');
export const flagOf = (message: Message, field: string): boolean => message[field] === true;
export const textsOf = (message: Message, field: string): string[] => ((message[field] ?? []) as unknown[]).map(String);
export const messageOf = (message: Message, field: string): Message => (message[field] ?? {}) as Message;
export const messagesOf = (message: Message, field: string): readonly Message[] => (message[field] ?? []) as readonly Message[];
