import assert from 'node:assert/strict';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { nodeClock } from '../env/node-env.js';
import { forceClose } from './force-close.js';
import { SessionPings } from './session-pings.js';

const SILENT_MS = 60;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** This process does nothing else. */
function holdUp(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('who is connected to the peer port', () => {
  let server: Server;
  let pings: SessionPings;
  let port: number;
  let silent: Socket | undefined;
  let answering: ClientHttp2Session | undefined;

  beforeEach(async () => {
    server = new Server({ 'grpc.enable_channelz': 0 });
    port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    pings = new SessionPings(server, nodeClock, SILENT_MS);
    pings.start();
  });

  afterEach(() => {
    pings.stop();
    silent?.destroy();
    answering?.destroy();
    forceClose(server);
  });

  it('and says nothing is let go; who answers stays', async () => {
    silent = connect(port, '127.0.0.1').resume();
    answering = connectHttp2(`http://127.0.0.1:${port}`);
    const gone = new Promise((resolve) => silent?.on('close', resolve));
    await gone;
    await sleep(5 * SILENT_MS);
    assert.ok(!answering.destroyed && !answering.closed);
  });

  it('is not silent for what this process was held up itself', async () => {
    answering = connectHttp2(`http://127.0.0.1:${port}`);
    await new Promise((resolve) => answering?.on('remoteSettings', resolve));
    // A ping is under way whenever it is held up, and its answer is there when it goes on.
    for (let i = 0; i < 12; i++) {
      holdUp(2.5 * SILENT_MS);
      await sleep(1);
    }
    await sleep(5 * SILENT_MS);
    assert.ok(!answering.destroyed && !answering.closed);
  });
});
