/**
 * What whoever is found at a peer URL says of his cluster: asked as no member, over a connection of
 * its own.
 */

import { Client } from '@grpc/grpc-js';
import { EMPTY } from '../../base/bytes.js';
import { NetworkError } from '../../base/errors.js';
import { credentialsOf, type ClientTls } from '../tls/client-tls.js';
import { decodeReply, DESCRIBE_PATH } from './peer-codec.js';
import { hostPort, isSecure } from './peer-url.js';

const OPTIONS = { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1 };
const identity = (bytes: Buffer): Buffer => bytes;

/** An encoded `ClusterDescription`. Rejects with NetworkError UNREACHABLE and CodecError. */
export async function describeAt(url: string, timeoutMs: number, tls: ClientTls | undefined): Promise<Uint8Array> {
  const client = new Client(hostPort(url), credentialsOf(isSecure(url) ? tls : undefined), OPTIONS);
  try {
    const reply = await new Promise<Buffer>((resolve, reject) => {
      const deadline = Date.now() + timeoutMs;
      client.makeUnaryRequest(DESCRIBE_PATH, identity, identity, Buffer.from(EMPTY), { deadline }, (error, bytes) => {
        if (error !== null) reject(new NetworkError('UNREACHABLE', error.details));
        else resolve(bytes ?? Buffer.alloc(0));
      });
    });
    return decodeReply(reply);
  } finally {
    client.close();
  }
}
