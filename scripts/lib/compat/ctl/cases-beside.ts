/**
 * What needs a second cluster: snapshot and make-mirror, TLS, a quota; and the flags that every
 * command takes.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lines, split, type CtlCase } from './case.js';
import type { Etcdctl } from './etcdctl.js';

const snapshot: CtlCase = {
  name: 'snapshot save',
  async run(ctl) {
    const dir = mkdtempSync(join(tmpdir(), 'compat-'));
    try {
      const file = join(dir, 'backup');
      ctl.tell('snapshot save', (await ctl.quietly('snapshot', 'save', file)).replaceAll(dir, 'DIR'));
      // A whole number of pages, and the SHA-256 of them.
      ctl.tell('its size, modulo 512', existsSync(file) ? String(statSync(file).size % 512) : 'there is none');
      ctl.tell('nothing else is left', String(!existsSync(`${file}.part`)));
      ctl.tell('snapshot save into no folder', (await ctl.quietly('snapshot', 'save', join(dir, 'none', 'backup'))).replaceAll(dir, 'DIR'));
      ctl.tell('snapshot save from two', (await ctl.at('all', 'snapshot', 'save', file)).replaceAll(dir, 'DIR'));
      await ctl.run(['snapshot', 'save']);
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
};

async function mirrored(ctl: Etcdctl, args: readonly string[], where: string, prefix: string): Promise<void> {
  for (let i = 0; i < 5; i++) await ctl.quietly('put', `from/${i}`, String(i));
  const mirror = ctl.begin(['make-mirror', ...args, where]);
  await ctl.until(/\/4\n4/, 15_000, ctl.second.url, 'get', '--prefix', prefix);
  await ctl.quietly('put', 'from/5', '5');
  await ctl.quietly('del', 'from/0');
  await ctl.quietly('put', 'from/last', 'seen');
  await ctl.until(/last\nseen/, 15_000, ctl.second.url, 'get', '--prefix', prefix);
  await mirror.end();
  await ctl.run(['get', '--prefix', prefix], { at: ctl.second.url });
  await ctl.at(ctl.second.url, 'del', '', '--prefix');
  await ctl.quietly('del', '--prefix', 'from/');
}

const mirror: CtlCase = {
  name: 'make-mirror',
  async run(ctl) {
    const { url, tlsUrl, ca, cert, key } = ctl.second;
    await mirrored(ctl, ['--prefix', 'from/'], url, 'from/');
    await mirrored(ctl, ['--prefix', 'from/', '--dest-prefix', 'to/'], url, 'to/');
    await mirrored(ctl, ['--prefix', 'from/', '--no-dest-prefix'], url, '');
    await mirrored(ctl, ['--prefix', 'from/', '--dest-insecure-transport=false', `--dest-cacert=${ca}`, `--dest-cert=${cert}`, `--dest-key=${key}`], tlsUrl, 'from/');
    await ctl.run(['make-mirror']);
  },
};

const mirrorFrom: CtlCase = {
  name: 'make-mirror --rev --max-txn-ops',
  since: '3.5',
  async run(ctl) {
    await mirrored(ctl, ['--prefix', 'from/', '--max-txn-ops=2'], ctl.second.url, 'from/');
    const { header } = JSON.parse(await ctl.quietly('put', 'from/old', 'not seen', '-w', 'json')) as { header: { revision: number } };
    await mirrored(ctl, ['--prefix', 'from/', `--rev=${header.revision + 1}`], ctl.second.url, 'from/');
  },
};

const tls: CtlCase = {
  name: 'TLS: --cacert --cert --key and what is refused',
  async run(ctl) {
    const { url, tlsUrl, ca, cert, key, otherCa, otherCert, otherKey } = ctl.second;
    const own = [`--cacert=${ca}`, `--cert=${cert}`, `--key=${key}`];
    const quick = ['--dial-timeout=1s', '--command-timeout=2s'];
    await ctl.run([...own, 'put', 'tls', '1'], { at: tlsUrl });
    await ctl.run([...own, 'get', 'tls'], { at: tlsUrl });
    await ctl.run([...own, 'endpoint', 'health'], { at: tlsUrl });
    await ctl.run([...own, 'get', 'tls'], { at: tlsUrl.replace('https://', '') });
    await ctl.run([`--cert=${cert}`, `--key=${key}`, '--insecure-skip-tls-verify', '--insecure-transport=false', 'get', 'tls'], { at: tlsUrl });
    const watching = ctl.begin([...own, 'watch', 'tls', '--rev=1'], { at: tlsUrl });
    await watching.prints(/tls/);
    await watching.end();
    // What a client tells of a refused handshake is a matter of when it looks.
    for (const wrong of [
      [`--cacert=${otherCa}`, `--cert=${cert}`, `--key=${key}`], [`--cacert=${ca}`], [`--cacert=${ca}`, `--cert=${otherCert}`, `--key=${otherKey}`], [],
    ]) await ctl.run([...wrong, ...quick, 'get', 'tls'], { at: tlsUrl, only: /Error: context deadline|exit/ });
    await ctl.run([...own, ...quick, 'get', 'tls'], { at: url.replace('http:', 'https:'), only: /Error: context deadline|exit/ });
    for (const wrong of [[`--cacert=${ca}.none`], [`--cert=${cert}`], [`--key=${key}`], [`--cert=${cert}`, `--key=${otherKey}`], [`--cacert=${key}`]]) await ctl.run([...wrong, ...quick, 'get', 'tls'], { at: tlsUrl });
  },
};

/** Nothing that compresses. */
function valueOf(seed: number): string {
  let text = '';
  for (let i = 0; text.length < 900_000; i++) text += createHash('sha512').update(`${seed}.${i}`).digest('base64');
  return text;
}

const quota: CtlCase = {
  name: 'a quota that is reached, and got rid of',
  async run(ctl) {
    const { url } = ctl.second;
    const run = (line: string): Promise<string> => ctl.run(split(line), { at: url });
    await run('alarm list');
    let refused = '';
    for (let i = 0; i < 100 && refused === ''; i++) {
      const printed = await ctl.put(url, `q/${i}`, valueOf(i));
      if (printed !== 'OK') refused = printed;
    }
    ctl.tell('put until it is refused', refused);
    for (const line of ['put q/more x', 'get q/more', 'alarm list', 'endpoint health']) await run(line);
    await ctl.run(['txn'], { at: url, input: '\nput q/more x\n\n\n' });
    await ctl.run(['txn'], { at: url, input: '\nget q/more\n\n\n' });
    await run('lease grant 60');
    await ctl.at(url, 'del', '--prefix', 'q/');
    const { header } = JSON.parse(await ctl.at(url, 'get', 'q', '-w', 'json')) as { header: { revision: number } };
    await ctl.at(url, 'compaction', String(header.revision), '--physical');
    ctl.tell('defrag', (await ctl.at(url, 'defrag')).includes('Finished defragmenting') ? 'finished' : 'failed');
    ctl.tell('alarm disarm', String(/^memberID:\d+ +alarm:NOSPACE$/.test(await ctl.at(url, 'alarm', 'disarm'))));
    ctl.tell('no alarm is left', String(await ctl.until(/^$/, 15_000, url, 'alarm', 'list')));
    ctl.tell('put', String(await ctl.until(/OK/, 15_000, url, 'put', 'q/again', 'x')));
    await run('get q/again');
  },
};

const flags: CtlCase = {
  name: 'flags of every command',
  async run(ctl) {
    await ctl.quietly('put', 'g', '1');
    const [first = '', second = ''] = ctl.urls;
    for (const args of [
      [`--endpoints=${first},${second}`, 'get', 'g'], [`--endpoints=${first}`, `--endpoints=${second}`, 'get', 'g'], [`--endpoints=${first.replace('http://', '')}`, 'get', 'g'],
      [`--endpoints=127.0.0.1:1,${first}`, 'get', 'g'], ['--endpoints=127.0.0.1:1', '--dial-timeout=500ms', '--command-timeout=1s', 'get', 'g'],
      ['--endpoints=', 'get', 'g'], ['--command-timeout=1ns', 'get', 'g'], ['--command-timeout=nonsense', 'get', 'g'], ['--dial-timeout=10s', 'get', 'g'],
      ['--keepalive-time=1s', '--keepalive-timeout=1s', 'get', 'g'], ['--debug=false', 'get', 'g'], ['--insecure-transport=true', 'get', 'g'],
      ['--write-out=json', 'get', 'g'], ['--hex', 'get', 'g'], ['--user=', 'get', 'g'], ['--password=x', 'get', 'g'], ['--user=nobody:x', 'get', 'g'],
      // A name that no resolver is asked for.
      ['--discovery-srv=..', 'get', 'g'], ['--discovery-srv=..', '--discovery-srv-name=x', '--insecure-discovery=false', 'get', 'g'],
      ['--nonsense', 'get', 'g'], ['nonsense'], ['get', '--nonsense', 'g'],
    ]) await ctl.run(args);
    for (const [name, value] of [['ETCDCTL_WRITE_OUT', 'json'], ['ETCDCTL_HEX', 'true'], ['ETCDCTL_COMMAND_TIMEOUT', '1ns'], ['ETCDCTL_NONSENSE', 'x']] as const) {
      await ctl.run(['get', 'g'], { env: { [name]: value } });
    }
    await ctl.run(['version']);
    for (const shell of ['bash', 'zsh', 'fish', 'powershell']) await ctl.run(['completion', shell], { codeOnly: true });
    await ctl.run(['help'], { codeOnly: true });
  },
};

const CHECK_MS = 300_000;

/** How fast they are is no matter of this comparison; that they went through and told all is. */
const untimed = (text: string): string => text
  .replace(/^.*\r/gm, '').replace(/\d+(\.\d+)?/g, '*')
  .replace(/^(?:PASS|FAIL): (Throughput|Slowest request|Stddev) .*$/gm, '$1 is told').replace(/^(PASS|FAIL)$/gm, 'so is the verdict')
  .split('\n').filter((line) => /PASS|FAIL|Error|told|verdict/.test(line)).join('\n');

/** They come last: how much they write is a matter of speed, and revisions behind it are, too. */
export const CHECK_CASE: CtlCase = {
  name: 'check perf and datascale',
  slow: true,
  async run(ctl) {
    for (const args of [['check', 'perf', '--load=s', '--auto-compact', '--auto-defrag'], ['check', 'perf', '--load=s', '--prefix=/checked/'], ['check', 'datascale', '--load=s']]) {
      ctl.tell(args.join(' '), untimed(await ctl.longer(CHECK_MS, ...args)));
    }
  },
};

const refusedChecks = lines('check perf and datascale, refused', `
  check
  check perf --load=nonsense
  check datascale --load=nonsense`);

export const BESIDE_CASES: readonly CtlCase[] = [snapshot, mirror, mirrorFrom, tls, quota, flags, refusedChecks];
