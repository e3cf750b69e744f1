import assert from 'node:assert/strict';
import { connect, type ClientHttp2Session } from 'node:http2';
import { Server } from '@grpc/grpc-js';
import { patchAuthority } from './hpack-authority.js';
import { listenInsecure } from './grpc-server.js';

const identity = (bytes: Buffer): Buffer => bytes;

/** One empty unary call with this authority; the grpc-status, or the error of the stream. */
function call(session: ClientHttp2Session, authority: string): Promise<string> {
  return new Promise((resolve) => {
    const stream = session.request({ ':method': 'POST', ':path': '/a.B/C', ':authority': authority, te: 'trailers', 'content-type': 'application/grpc' });
    stream.on('trailers', (trailers) => resolve(String(trailers['grpc-status'])));
    stream.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']));
    });
    stream.on('error', (error) => resolve(error.message));
    stream.resume();
    stream.end(Buffer.alloc(5));
  });
}

describe('clients whose authority is a URL', () => {
  let server: Server;
  let port: number;
  before(async () => {
    server = new Server();
    server.register('/a.B/C', (_call: unknown, done: (error: null, reply: Buffer) => void) => done(null, Buffer.alloc(0)), identity, identity, 'unary');
    port = await listenInsecure(server, '127.0.0.1:0');
  });
  after(() => server.forceShutdown());

  for (const authority of ['http://127.0.0.1:2379', 'a/b', '127.0.0.1:2379']) {
    it(`are served: ${authority}`, async () => {
      const session = connect(`http://127.0.0.1:${port}`);
      assert.equal(await call(session, authority), '0');
      assert.equal(await call(session, '127.0.0.1'), '0', 'and the connection goes on');
      session.close();
    });
  }

  it('nothing but slashes of the authority is changed, plain or Huffman-coded', () => {
    // A literal with indexed name 1 (":authority"), value "a/b"; then a literal ":path"-named one
    // that keeps its slash.
    const block = Buffer.from([0x41, 3, 0x61, 0x2f, 0x62, 0x44, 2, 0x2f, 0x78]);
    patchAuthority(block, 0, block.length);
    assert.deepEqual([...block], [0x41, 3, 0x61, 0x2e, 0x62, 0x44, 2, 0x2f, 0x78]);
    // "a/" coded: 00011 011000 and five bits of padding.
    const coded = Buffer.from([0x41, 0x82, 0b00011011, 0b00011111]);
    patchAuthority(coded, 0, coded.length);
    assert.deepEqual([...coded], [0x41, 0x82, 0b00011010, 0b11111111]);
  });
});
