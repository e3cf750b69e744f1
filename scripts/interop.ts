/**
 * `npm run interop`: other people's clients against a real cluster, and against the client port
 * over TLS. Builds what can be built, and says what cannot. `--record` keeps what each client says
 * to the port as a recording, which the unit tests play again.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TEST_CA } from '../src/server/transport/testing/test-chain.js';
import { binaryOf, ROOT } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, UsageError } from './lib/command.js';
import { ensureBuilt } from './lib/ensure-built.mjs';
import { CLIENTS, writeCertificate, type Client, type Command } from './lib/interop/clients.js';
import { Recorder } from './lib/interop/recorder.js';
import { faultsOf, runClient } from './lib/interop/run-client.js';
import { startTlsServer } from './lib/interop/tls-server.js';
import { bad, dim, good } from './lib/print.js';

const HELP = `
usage: npm run interop [-- --only NAME ...] [--record] [--skip-build]

Builds the clients in cluster-tests/interop/ into .data/interop/ and runs each against a cluster of this build, and over
TLS. What cannot be built is told with the reason. Exit 0 if every check of every client that ran holds.

  --only NAME    ${CLIENTS.map(({ name }) => name).join(', ')}
  --record       also writes what the client says into src/grpc/testing/recorded/
`;
const RECORDED = join(ROOT, 'src', 'grpc', 'testing', 'recorded');

const portOf = (url: string): number => Number(new URL(url).port);

class Interop {
  readonly #cluster: Cluster;
  readonly #tls: string;
  readonly #ca = writeCertificate(TEST_CA);
  failed = 0;

  constructor(cluster: Cluster, tls: string) {
    this.#cluster = cluster;
    this.#tls = tls;
  }

  async try(client: Client, build: boolean): Promise<Command | undefined> {
    const reason = build ? client.build() : undefined;
    const command = client.find();
    if (reason === undefined && typeof command !== 'string') return command;
    console.log(`${dim('pending')}  ${client.name}: ${reason ?? String(command)}`);
    return undefined;
  }

  async run(client: Client, command: Command): Promise<void> {
    await this.#one(client, 'plain', command, ['--endpoint', this.#cluster.urls[0] ?? '', '--prefix', `${client.name}/`]);
    await this.#one(client, 'TLS', command, ['--endpoint', this.#tls, '--ca', this.#ca, '--prefix', `${client.name}/`]);
  }

  /** The recording holds no large values and few calls. */
  async record(client: Client, command: Command): Promise<void> {
    const recorder = await Recorder.start(portOf(this.#cluster.urls[0] ?? ''));
    const report = await runClient(command, ['--endpoint', `http://127.0.0.1:${recorder.port}`, '--prefix', 'r/', '--small']);
    recorder.stop();
    const connections = recorder.connections.map((said) => (gzipSync(said).toString('base64').match(/.{1,100}/g) ?? []));
    mkdirSync(RECORDED, { recursive: true });
    writeFileSync(join(RECORDED, `${client.name}.json`), `${JSON.stringify({ client: report.client, connections }, undefined, 1)}\n`);
  }

  async #one(client: Client, how: string, command: Command, args: readonly string[]): Promise<void> {
    try {
      const report = await runClient(command, args);
      const faults = faultsOf(report);
      console.log(`${faults.length === 0 ? good('pass') : bad('FAIL')}     ${client.name}, ${how}: ${report.client}, ${report.checks.length} checks`);
      for (const fault of faults) console.log(`         ${fault}`);
      if (faults.length > 0) this.failed++;
    } catch (error) {
      this.failed++;
      console.log(`${bad('FAIL')}     ${client.name}, ${how}: ${String(error)}`);
    }
  }
}

await runMain(HELP, async () => {
  const { values } = flags({ only: { type: 'string', multiple: true }, record: { type: 'boolean' }, 'skip-build': { type: 'boolean' } });
  const unknown = values.only?.find((name) => CLIENTS.every((client) => client.name !== name));
  if (unknown !== undefined) throw new UsageError(`there is no client ${unknown}; see --help`);
  ensureBuilt();
  const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: 'interop-cluster' });
  const tls = await startTlsServer();
  onExit(() => tls.port.close());
  await cluster.start();
  const interop = new Interop(cluster, tls.url);
  for (const client of CLIENTS) {
    if (values.only?.includes(client.name) === false) continue;
    const command = await interop.try(client, values['skip-build'] !== true);
    if (command === undefined) continue;
    await interop.run(client, command);
    if (values.record === true) await interop.record(client, command);
  }
  console.log(interop.failed === 0 ? 'PASS' : 'FAIL');
  return interop.failed === 0 ? 0 : 1;
});
