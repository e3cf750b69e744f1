/**
 * `npm run compat:start`: what starts an etcd starts Kintsugi unchanged. Each way of
 * `lib/compat/start-lines.ts` starts ours and, where there is an etcd that knows its words, that
 * one; both must be ready and answer a put, a get and what they say of themselves alike.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { freePorts } from '../src/server/free-ports.js';
import { Authority } from '../src/server/tls/testing/authority.js';
import { etcdAt, findEtcds, kintsugi, type Binary } from './lib/binary.js';
import { workDir } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, UsageError } from './lib/command.js';
import { put, range } from './lib/compat/case.js';
import { differences, RECORD_KNOWN } from './lib/compat/compare.js';
import { Peer, type PeerTls, type Told } from './lib/compat/peer.js';
import { SIGN_METHODS, START_LINES, type Place, type StartLine, type StartMember } from './lib/compat/start-lines.js';
import { ensureBuilt } from './lib/ensure-built.mjs';
import { bad, dim, good, say, verdictMark } from './lib/print.js';

const HELP = `
usage: npm run compat:start [-- --only WORD] [--etcd DIR ...] [--show] [--skip-build]

Starts Kintsugi as etcd is started: by flags, the environment and configuration files, in the words of 3.4 and of 3.7,
with TLS and auth, one member or three. Where there is an etcd that knows the words, it is started the same way, and both
must be ready and give the same answers.

  --only WORD    ways with this word in their name
  --etcd DIR     the etcd in this folder; default: every etcd on the PATH
  --show         prints what ours answers

Exit 0 if all started and answered alike, 1 if not.
`;

const READY_MS = 90_000;

interface Files extends Omit<Place, 'members'> {
  readonly tls: Required<PeerTls>;
}

async function makeFiles(dir: string): Promise<Files> {
  const ca = await Authority.create();
  const { cert, key } = await ca.issue({ cn: 'localhost' });
  const [publicKeyEncoding, pem] = [{ type: 'spki', format: 'pem' }, 'pem'] as const;
  const keys = {
    rsa: generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding, privateKeyEncoding: { type: 'pkcs1', format: pem } }),
    ec: generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding, privateKeyEncoding: { type: 'sec1', format: pem } }),
    ed: generateKeyPairSync('ed25519', { publicKeyEncoding, privateKeyEncoding: { type: 'pkcs8', format: pem } }),
  };
  const at = (name: string, content: string): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const pair = (name: keyof typeof keys): string => `pub-key=${at(`${name}.pub`, keys[name].publicKey)},priv-key=${at(`${name}.key`, keys[name].privateKey)}`;
  const secret = `priv-key=${at('secret', randomBytes(32).toString('hex'))}`;
  const by = { RS256: pair('rsa'), PS384: pair('rsa'), ES256: pair('ec'), EdDSA: pair('ed'), HS256: secret };
  const signed = Object.fromEntries(SIGN_METHODS.map((method) => [method, `jwt,${by[method]},sign-method=${method},ttl=10m`])) as Place['signed'];
  return { ca: at('ca.pem', ca.pem), cert: at('cert.pem', cert), key: at('key.pem', key), signed, tls: { ca: ca.pem, cert, key } };
}

/** How clients of it connect. */
function clientTls({ tls }: StartLine, files: Files): PeerTls | undefined {
  const { ca, cert, key } = files.tls;
  return tls === undefined ? undefined : tls === 'auto' ? {} : tls === 'server' ? { ca } : { ca, cert, key };
}

async function membersOf(line: StartLine): Promise<StartMember[]> {
  const size = line.size ?? 1;
  const ports = await freePorts(3 * size);
  const [clients, peers] = [line.tls === undefined ? 'http' : 'https', line.peerTls === true ? 'https' : 'http'];
  return Array.from({ length: size }, (_, i) => ({
    name: `infra${i}`, client: `${clients}://127.0.0.1:${ports[3 * i]}`, peer: `${peers}://127.0.0.1:${ports[3 * i + 1]}`, metrics: `http://127.0.0.1:${ports[3 * i + 2]}`,
  }));
}

class Started {
  readonly #children: ChildProcess[] = [];
  readonly #logs: string[] = [];

  constructor() {
    onExit(() => this.stop());
  }

  run(binary: Binary, line: StartLine, place: Place, self: StartMember, dir: string): void {
    const { args = [], env = {}, file } = line.start(place, self);
    mkdirSync(dir, { recursive: true });
    if (file !== undefined) writeFileSync(join(dir, 'etcd.conf.yml'), file);
    const log = join(dir, 'log');
    const out = openSync(log, 'w');
    this.#logs.push(log);
    this.#children.push(spawn(binary.command, [...binary.args, ...args], { cwd: dir, env: { ...process.env, ...env }, stdio: ['ignore', out, out] }));
    closeSync(out);
  }

  /** Throws Failure if one has ended. */
  check(): void {
    const at = this.#children.findIndex(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (at >= 0) throw new Failure(`ended at start:\n${readFileSync(this.#logs[at] as string, 'utf8').trim().split('\n').slice(-6).join('\n')}`);
  }

  async stop(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}

/** What `/health` says; undefined: nobody answers. */
function health(url: string, tls: PeerTls | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { agent: false as const, timeout: 2_000 };
    const asked = tls === undefined ? plainRequest(`${url}/health`, options)
      : secureRequest(`${url}/health`, { ...options, ...tls, servername: '', rejectUnauthorized: tls.ca !== undefined });
    asked.on('error', () => resolve(undefined)).on('timeout', () => asked.destroy()).on('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => resolve(`${answer.statusCode} ${text.trim()}`)).on('error', () => resolve(undefined));
    });
    asked.end();
  });
}

async function ready(started: Started, url: string, tls: PeerTls | undefined): Promise<string> {
  for (const deadline = Date.now() + READY_MS; ;) {
    const said = await health(url, tls);
    if (said?.startsWith('200 ')) return (JSON.parse(said.slice(4)) as { health: string }).health;
    started.check();
    if (Date.now() > deadline) throw new Failure(`not ready after ${READY_MS} ms: ${said ?? 'nobody answers'}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** One that runs, with what it has said. */
interface Open {
  readonly peer: Peer;
  readonly token: string | undefined;
  readonly told: readonly Told[];
  close(): Promise<void>;
}

async function open(binary: Binary, line: StartLine, files: Files, root: string): Promise<Open> {
  const members = await membersOf(line);
  const tls = clientTls(line, files);
  const started = new Started();
  const place = { ...files, members };
  const dir = mkdtempSync(join(root, binary.kind));
  try {
    for (const self of members) started.run(binary, line, place, self, join(dir, self.name));
    const told: Told[] = [];
    for (const { client } of members) told.push({ call: 'GET /health', answer: await ready(started, client, tls) });
    const peer = new Peer((members[0] as StartMember).client, tls);
    await peer.begin('Cluster');
    const token = await ask(peer, line.auth === true);
    const close = (): Promise<void> => {
      peer.close();
      return started.stop();
    };
    return { peer, token, told: [...told, ...peer.take()], close };
  } catch (error) {
    await started.stop();
    throw error;
  }
}

/** The token of root, where there is auth. */
async function ask(peer: Peer, auth: boolean): Promise<string | undefined> {
  await peer.call('KV', 'Put', put('a', '1'));
  await peer.call('KV', 'Range', range('a'));
  await peer.call('Cluster', 'MemberList');
  await peer.call('Maintenance', 'Status');
  if (!auth) return undefined;
  await peer.call('Auth', 'UserAdd', { name: 'root', password: 'secret' });
  await peer.call('Auth', 'UserGrantRole', { user: 'root', role: 'root' });
  await peer.call('Auth', 'AuthEnable');
  await peer.call('KV', 'Put', put('a', '2'));
  const token = (await peer.call('Auth', 'Authenticate', { name: 'root', password: 'secret' }))?.['token'] as string | undefined;
  peer.tell('the token', { parts: token?.split('.').length });
  peer.useToken(token);
  await peer.call('KV', 'Put', put('a', '3'));
  await peer.call('KV', 'Range', range('a'));
  await peer.call('Maintenance', 'Status');
  return token;
}

/** True: each takes a token that the other has signed with the same keys. */
async function exchange(ours: Open, theirs: Open): Promise<boolean> {
  ours.peer.useToken(theirs.token);
  theirs.peer.useToken(ours.token);
  const replies = await Promise.all([ours, theirs].map(({ peer }) => peer.call('KV', 'Range', range('a'))));
  return replies.every((reply) => reply !== undefined);
}

/** True: it started, and all that was asked was answered as it should be. */
async function compare(line: StartLine, etcds: readonly Binary[], files: Files, root: string, show: boolean): Promise<boolean> {
  const ours = await open(kintsugi(), line, files, root);
  const { told } = ours;
  if (show) for (const { call, answer } of told) console.log(dim(`  ${call}\n    ${answer}`));
  const failed = told.filter(({ answer }) => /^[A-Z_]+: /.test(answer) && !answer.includes('user name is empty'));
  for (const { call, answer } of failed) console.log(`${bad('refused')}  ${line.name}\n  ${call}\n  ${answer}`);
  let holds = failed.length === 0;
  const beside: string[] = [];
  try {
    for (const etcd of etcds) {
      if (line.etcd?.test(etcd.version) === false) continue;
      const theirs = await open(etcd, line, files, root);
      const found = differences(line.name, theirs.told, told, RECORD_KNOWN).filter(({ reason }) => reason === undefined);
      if (line.signed === true && !(await exchange(ours, theirs))) {
        found.push({ case: line.name, call: 'a token of the other', theirs: 'taken', ours: 'one refuses it', reason: undefined });
      }
      await theirs.close();
      for (const { call, theirs: their, ours: our } of found) {
        console.log(`${bad('differs')}  ${line.name}\n  ${call}\n  ${dim(`etcd ${etcd.version}`)}  ${their}\n  ${dim('ours')}  ${our}`);
      }
      holds &&= found.length === 0;
      beside.push(`etcd ${etcd.version}`);
    }
  } finally {
    await ours.close();
  }
  const signed = line.signed === true && beside.length > 0 ? ', and tokens of either are good at the other' : '';
  console.log(`${holds ? good('starts') : bad('differs')}  ${line.name}${beside.length > 0 ? dim(`, as ${beside.join(' and ')}${signed}`) : ''}`);
  return holds;
}

await runMain(HELP, async () => {
  const { values } = flags({ etcd: { type: 'string', multiple: true }, only: { type: 'string' }, show: { type: 'boolean' }, 'skip-build': { type: 'boolean' } });
  const lines = START_LINES.filter(({ name }) => name.includes(values.only ?? ''));
  if (lines.length === 0) throw new UsageError(`no way to start has "${values.only ?? ''}" in its name: ${START_LINES.map(({ name }) => name).join('; ')}`);
  const etcds = values.etcd?.map(etcdAt) ?? findEtcds();
  if (values['skip-build'] !== true) ensureBuilt();
  const root = workDir(`compat-start-${process.pid}`);
  mkdirSync(root, { recursive: true });
  onExit(() => rmSync(root, { recursive: true, force: true }));
  const files = await makeFiles(root);
  say(`${lines.length} ways to start, beside ${etcds.length === 0 ? 'no etcd' : etcds.map(({ version }) => `etcd ${version}`).join(' and ')}`);
  let held = 0;
  for (const line of lines) {
    try {
      if (await compare(line, etcds, files, root, values.show === true)) held++;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.log(`${bad('failed')}  ${line.name}: ${error.message}`);
    }
  }
  console.log(`${verdictMark(held === lines.length)}  ${held} of ${lines.length} ways to start etcd start ours, with the same answers`);
  return held === lines.length ? 0 : 1;
});
