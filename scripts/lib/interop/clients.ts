/**
 * Other people's clients: programs in cluster-tests/interop/ that take `--endpoint`, `--ca`,
 * `--prefix` and `--small`, and print a report. What is built lies in .data/interop/ and is found
 * there by the tests, which build nothing.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, which } from '../binary.js';

const SOURCES = join(ROOT, 'cluster-tests', 'interop');
const BUILT = join(ROOT, '.data', 'interop');

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

export interface Client {
  readonly name: string;
  /** How to run it; or why that cannot be. */
  find(): Command | string;
  /** Makes it so that `find` finds it; returns what went wrong. Does nothing where all is there. */
  build(): string | undefined;
}

interface Step {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What went wrong, if anything. */
function run({ program, args, cwd, env = {} }: Step): string | undefined {
  if (!program.includes('/') && which(program) === undefined) return `there is no ${program} on the PATH`;
  const { status, stderr, error } = spawnSync(program, args, { cwd, env: { ...process.env, ...env }, encoding: 'utf8', timeout: 1_200_000 });
  if (status === 0) return undefined;
  return `${program} ${args[0]}: ${error?.message ?? stderr.trim().split('\n').slice(-3).join(' ')}`;
}

const notBuilt = 'it is not built: npm run interop builds it';

class NodeClient implements Client {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  find(): Command {
    return { program: process.execPath, args: [join(SOURCES, 'node', `${this.name}.mjs`)] };
  }

  build(): undefined {
    return undefined;
  }
}

class GoClient implements Client {
  readonly name: string;
  readonly #version: string;

  constructor(version: string) {
    this.name = `go-clientv3-${version}`;
    this.#version = version;
  }

  find(): Command | string {
    const program = join(BUILT, this.name);
    return existsSync(program) ? { program, args: [] } : notBuilt;
  }

  build(): string | undefined {
    const args = ['build', `-modfile=clientv3-v${this.#version}.mod`, '-o', join(BUILT, this.name), '.'];
    return run({ program: 'go', args, cwd: join(SOURCES, 'go'), env: { GOFLAGS: '-mod=mod' } });
  }
}

class PythonClient implements Client {
  readonly name = 'python-grpcio';
  readonly #main = join(SOURCES, 'python', 'main.py');
  readonly #own = join(BUILT, 'python', 'bin', 'python');

  find(): Command | string {
    const program = [this.#own, 'python3'].find((python) => spawnSync(python, ['-c', 'import grpc']).status === 0);
    return program === undefined ? notBuilt : { program, args: [this.#main] };
  }

  build(): string | undefined {
    if (typeof this.find() !== 'string') return undefined;
    const cwd = join(SOURCES, 'python');
    return run({ program: 'python3', args: ['-m', 'venv', join(BUILT, 'python')], cwd }) ??
      run({ program: this.#own, args: ['-m', 'pip', 'install', '--quiet', '-r', 'requirements.txt'], cwd });
  }
}

class RustClient implements Client {
  readonly name = 'rust-tonic';
  readonly #target = join(BUILT, 'rust');

  find(): Command | string {
    const program = join(this.#target, 'release', 'interop');
    return existsSync(program) ? { program, args: [] } : notBuilt;
  }

  build(): string | undefined {
    return run({ program: 'cargo', args: ['build', '--quiet', '--release', '--target-dir', this.#target], cwd: join(SOURCES, 'rust') });
  }
}

class JavaClient implements Client {
  readonly name = 'java-grpc';
  readonly #classes = join(BUILT, 'java');
  readonly #path = join(BUILT, 'java', 'classpath');

  find(): Command | string {
    if (!existsSync(join(this.#classes, 'Main.class'))) return notBuilt;
    return { program: 'java', args: ['-cp', `${this.#classes}:${readFileSync(this.#path, 'utf8')}`, 'Main'] };
  }

  build(): string | undefined {
    const cwd = join(SOURCES, 'java');
    mkdirSync(this.#classes, { recursive: true });
    const found = run({ program: 'mvn', args: ['-q', '-B', 'dependency:build-classpath', `-Dmdep.outputFile=${this.#path}`], cwd });
    if (found !== undefined) return found;
    const args = ['-cp', readFileSync(this.#path, 'utf8'), '-d', this.#classes, 'src/main/java/Main.java'];
    return run({ program: 'javac', args, cwd });
  }
}

/** Where the certificate that the tests trust is written. */
export function writeCertificate(pem: string): string {
  mkdirSync(BUILT, { recursive: true });
  const file = join(BUILT, 'ca.pem');
  writeFileSync(file, pem);
  return file;
}

export const CLIENTS: readonly Client[] = [
  new GoClient('3.5.0'), new GoClient('3.5.21'), new GoClient('3.6.13'), new GoClient('3.7.3'),
  new PythonClient(), new JavaClient(), new RustClient(), new NodeClient('grpc-js'), new NodeClient('etcd3'),
];
