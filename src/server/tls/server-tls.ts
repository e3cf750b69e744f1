/**
 * TLS of what is listened on. Every way in goes through {@link ServerTls.server}, and so whoever is
 * handed out has finished its handshake, was verified if the settings say so, is not revoked, and
 * has a name that is allowed (GHSA-3wh4-j44w-pg92 was another path without that). There is no
 * resumption of sessions: it would pass by all of it. Who is revoked while it is connected is
 * disconnected once the list says so, which is stricter than etcd.
 *
 * Who begins a handshake, when, and for how long: `hello-gate.ts`.
 */

import { constants } from 'node:crypto';
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import { messageOf } from '../../base/errors.js';
import { commonNameOf, isFor, serialsOf } from './certificate.js';
import { HelloGate, placeOf } from './hello-gate.js';
import type { Reloaded, TlsMaterial } from './material.js';

/** A reason is told of once in so long, however many come. */
const TELL_EVERY_MS = 10_000;

export interface ListenLimits {
  /** From the connection to the end of the handshake. */
  readonly handshakeMs: number;
  readonly allowHalfOpen: boolean;
  /** Of the application, the preferred one first. */
  readonly protocols: readonly string[];
}

interface Verified {
  readonly commonName: string;
  /** Of its chain. */
  readonly serials: readonly string[];
}

export class ServerTls implements Reloaded {
  readonly #material: TlsMaterial;
  readonly #clock: Clock;
  readonly #events: EventSink;
  /** Of handshakes: they listen nowhere. */
  readonly #servers: Server[] = [];
  /** Those that were let in by a certificate. */
  readonly #verified = new Map<TLSSocket, Verified>();
  readonly #told = new Map<string, number>();

  constructor(material: TlsMaterial, clock: Clock, events: EventSink) {
    this.#material = material;
    this.#clock = clock;
    this.#events = events;
    material.attach(this);
  }

  /**
   * It listens nowhere yet, and its connections are those before any handshake; `onSocket` gets who
   * was let in.
   */
  server({ handshakeMs, allowHalfOpen, protocols }: ListenLimits, onSocket: (socket: TLSSocket) => void): TcpServer {
    const { settings } = this.#material;
    const handshakes = createServer({
      ...this.#context(),
      ALPNProtocols: [...protocols],
      handshakeTimeout: handshakeMs,
      allowHalfOpen,
      honorCipherOrder: true,
      ...(settings.verifies ? { requestCert: true, rejectUnauthorized: true } : {}),
    }, (socket) => {
      const place = placeOf(socket);
      if (place !== undefined) gate.ended(place);
      socket.on('error', () => undefined);
      const why = this.#refusal(socket);
      if (why === undefined) onSocket(socket);
      else this.#refuse(socket, why);
    });
    handshakes.on('tlsClientError', (error, socket) => this.#refuse(socket, verdictOn(socket) ?? messageOf(error)));
    const gate = new HelloGate(
      { clock: this.#clock, handshakeMs },
      (socket) => void handshakes.emit('connection', socket),
      (socket) => this.#refuse(socket, 'its handshake did not come to an end in time'),
    );
    this.#servers.push(handshakes);
    return createTcpServer({ allowHalfOpen }, (socket) => gate.take(socket)).on('close', () => gate.close());
  }

  reloaded(): void {
    for (const server of this.#servers) server.setSecureContext(this.#context());
    const { revoked } = this.#material.current;
    for (const [socket, { serials }] of this.#verified) {
      const serial = serials.find((each) => revoked.has(each));
      if (serial !== undefined) this.#refuse(socket, revokedWords(serial));
    }
  }

  /**
   * Whom the certificate that this connection has proven to hold makes it; undefined: certificates
   * make nobody a user here.
   */
  userOf(socket: TLSSocket): string | undefined {
    return this.#material.settings.namesUsers ? this.#verified.get(socket)?.commonName : undefined;
  }

  #context(): object {
    return { ...this.#material.current.server, secureOptions: constants.SSL_OP_NO_TICKET };
  }

  /** Why it is not let in. */
  #refusal(socket: TLSSocket): string | undefined {
    const { settings, current } = this.#material;
    if (!settings.verifies) return undefined;
    const certificate = socket.getPeerCertificate(true);
    const leaf = socket.getPeerX509Certificate();
    if (!socket.authorized || leaf === undefined) return verdictOn(socket) ?? 'it shows no certificate that is good here';
    const serials = serialsOf(certificate);
    const serial = serials.find((each) => current.revoked.has(each));
    if (serial !== undefined) return revokedWords(serial);
    const commonName = commonNameOf(certificate);
    const why = unwanted(settings, commonName, (host) => isFor(leaf, host));
    if (why !== undefined) return why;
    this.#verified.set(socket, { commonName, serials });
    socket.on('close', () => this.#verified.delete(socket));
    return undefined;
  }

  #refuse(socket: Socket, why: string): void {
    const from = socket.remoteAddress ?? beneath(socket)?.remoteAddress ?? 'unknown';
    socket.destroy();
    const now = performance.now();
    if (now - (this.#told.get(why) ?? -Infinity) < TELL_EVERY_MS) return;
    if (this.#told.size >= 64) this.#told.clear();
    this.#told.set(why, now);
    this.#events.emit({ type: 'warning', message: 'a connection was refused by TLS', data: { from, why: hintOf(why) } });
  }
}

export function revokedWords(serial: string): string {
  return `its certificate is revoked: serial number ${serial}`;
}

/** By the names that are allowed; undefined: it is wanted. */
export function unwanted(
  { allowedNames, allowedHosts }: { readonly allowedNames: readonly string[]; readonly allowedHosts: readonly string[] },
  name: string, isHost: (host: string) => boolean,
): string | undefined {
  if (allowedNames.length > 0 && !allowedNames.includes(name)) return `the common name ${JSON.stringify(name)} is not allowed`;
  if (allowedHosts.length > 0 && !allowedHosts.some(isHost)) return 'its certificate is for none of the hosts that are allowed';
  return undefined;
}

/**
 * What OpenSSL found of its certificate, by name; undefined: nothing bad. Whom it rejects Node
 * destroys first, and then says of him that he hung up.
 */
function verdictOn({ authorizationError: error }: TLSSocket): string | undefined {
  // By Node's documents an Error; it is a name or null.
  const found: unknown = error;
  if (found === undefined || found === null) return undefined;
  return typeof found === 'string' ? found : messageOf(found);
}

/** What its bytes come from, which remembers where that one was: TLS itself forgets it. */
function beneath(socket: Socket): Socket | undefined {
  return (socket as { readonly _parent?: Socket })._parent;
}

const VERDICTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: the clock here, or there, may be wrong',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is of an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an authority that is not trusted here',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself, and not trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that is not trusted here',
};

/** What OpenSSL says, in the operator's words. */
function hintOf(why: string): string {
  if (/http request|wrong version number|packet length too long/i.test(why)) return 'it does not speak TLS, which is wanted here';
  if (/peer did not return a certificate/i.test(why)) return 'it shows no certificate';
  return VERDICTS[why] ?? why;
}
