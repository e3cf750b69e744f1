/**
 * In whose name an entry changes something, as the log carries it. Who it is was found out by the
 * member that proposes; what they may do is decided at apply, alike on every member (S2).
 */

import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';

export type Principal =
  /** Nobody said who it is. */
  | { readonly kind: 'nobody' }
  /** The member itself, and the application that it is part of: nothing is refused. */
  | { readonly kind: 'member' }
  /** `revision`: of the auth state when the user was found out; an older one is refused. */
  | { readonly kind: 'user'; readonly name: string; readonly revision: number };

export const NOBODY: Principal = { kind: 'nobody' };
export const MEMBER: Principal = { kind: 'member' };

const KINDS: readonly Principal['kind'][] = ['nobody', 'member', 'user'];

export function writePrincipal(out: ByteWriter, who: Principal): void {
  out.u8(KINDS.indexOf(who.kind));
  if (who.kind === 'user') out.text(who.name).varint(who.revision);
}

/** Throws CodecError. */
export function readPrincipal(input: ByteReader): Principal {
  const kind = KINDS[input.u8()];
  if (kind === undefined) throw new CodecError('a principal of unknown kind');
  switch (kind) {
    case 'nobody': return NOBODY;
    case 'member': return MEMBER;
    case 'user': return { kind, name: input.text(), revision: input.varint() };
  }
}
