/**
 * Fields of messages that came through reflection: 64-bit numbers are decimal strings there, and a
 * field may be missing.
 */

import type { Message } from '../api/protos/reflected-rpc.js';

export const numberOf = (message: Message, field: string): number => Number(message[field] ?? 0);
export const bigOf = (message: Message, field: string): bigint => BigInt(String(message[field] ?? 0));
export const textOf = (message: Message, field: string): string => String(message[field] ?? '');
export const flagOf = (message: Message, field: string): boolean => message[field] === true;
export const textsOf = (message: Message, field: string): string[] => ((message[field] ?? []) as unknown[]).map(String);
export const messageOf = (message: Message, field: string): Message => (message[field] ?? {}) as Message;
export const messagesOf = (message: Message, field: string): readonly Message[] => (message[field] ?? []) as readonly Message[];
