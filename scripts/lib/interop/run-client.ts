/** One run of one client against one endpoint. */

import { spawn } from 'node:child_process';
import type { Command } from './clients.js';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly error?: string;
}

export interface Report {
  /** With its version. */
  readonly client: string;
  readonly checks: readonly Check[];
}

/** The report; rejects if there is none. */
export function runClient({ program, args }: Command, flags: readonly string[]): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, ...flags], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
    let out = '';
    let errors = '';
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (errors = (errors + bytes.toString()).slice(-2_000)));
    child.on('error', reject).on('close', (code, signal) => {
      try {
        resolve(JSON.parse(out) as Report);
      } catch {
        reject(new Error(`no report (exit ${code ?? signal}): ${errors || out}`));
      }
    });
  });
}

/** What went wrong, one line each. */
export function faultsOf({ checks }: Report): string[] {
  return checks.filter(({ ok }) => !ok).map(({ name, error }) => `${name}: ${error ?? ''}`);
}
