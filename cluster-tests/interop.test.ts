import assert from 'node:assert/strict';
import { CLIENTS, writeCertificate } from '../scripts/lib/interop/clients.js';
import { faultsOf, runClient } from '../scripts/lib/interop/run-client.js';
import { startTlsServer, type TlsServer } from '../scripts/lib/interop/tls-server.js';
import { TEST_CA } from '../src/server/transport/testing/test-chain.js';
import { withCluster } from './harness.js';

describe("other people's clients, unmodified", function () {
  this.timeout(120_000);
  const fixture = withCluster('interop');
  let tls: TlsServer;

  before(async () => {
    tls = await startTlsServer();
  });

  after(() => tls.port.close());

  for (const client of CLIENTS) {
    const command = client.find();
    if (typeof command === 'string') {
      it(`${client.name} (pending: ${command})`);
      continue;
    }
    it(`${client.name}: every check holds against a cluster`, async () => {
      const report = await runClient(command, ['--endpoint', fixture.cluster.urls[0] ?? '', '--prefix', `${client.name}/`]);
      assert.deepEqual(faultsOf(report), [], report.client);
    });
    it(`${client.name}: every check holds over TLS`, async () => {
      const flags = ['--endpoint', tls.url, '--ca', writeCertificate(TEST_CA), '--prefix', `${client.name}/`];
      const report = await runClient(command, flags);
      assert.deepEqual(faultsOf(report), [], report.client);
    });
  }
});
