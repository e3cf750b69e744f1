/** Runs transcripts against real nodes. The same text puts out the same in every run. */

import { Args } from './transcript-args.js';
import { runCommand } from './transcript-commands.js';
import { differenceOf, parseTranscript, renderTranscript, TranscriptError } from './transcript-file.js';
import { Stage } from './transcript-stage.js';

/** What a block without any output says, so that its end can be seen. */
const SILENCE = 'nothing happens';

export interface Outcome {
  readonly title: string;
  /** The first block that put out something else than it says. */
  readonly difference: string | undefined;
  /** The text as it would have to be. */
  readonly rewritten: string;
}

/** Throws TranscriptError with the line of what cannot be run. */
export function runTranscript(text: string): Outcome {
  const transcript = parseTranscript(text);
  const stage = new Stage();
  const outputs: string[][] = [];
  let difference: string | undefined;
  for (const block of transcript.blocks) {
    const output = block.commands.flatMap((command) => {
      try {
        return runCommand(stage, new Args(command));
      } catch (error) {
        if (error instanceof TranscriptError) throw error;
        throw new TranscriptError(command.line, `${command.text}: ${String(error)}`);
      }
    });
    if (output.length === 0) output.push(SILENCE);
    difference ??= differenceOf(block, output);
    outputs.push(output);
  }
  return { title: transcript.title, difference, rewritten: renderTranscript(transcript, outputs) };
}
