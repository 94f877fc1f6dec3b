import type { Command } from "commander";
import { visibleOptions } from "./manual";

export type Shell = "bash" | "zsh" | "fish";

/** A completion script, made of the command tree. */
export function renderCompletion(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](program);
}

function bash(program: Command): string {
  const cases = program.commands.map(
    (command) => `    ${command.name()}) words="${wordsOf(program, command).join(" ")}" ;;`,
  );
  return `_ipcheck() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words word command=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      ${program.commands.map((command) => command.name()).join("|")}) command="$word"; break ;;
    esac
  done
  if [[ "$previous" == --*-file ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  case "$command" in
${cases.join("\n")}
    *) words="${[...program.commands.map((command) => command.name()), ...longFlags(program)].join(" ")}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _ipcheck ipcheck`;
}

function zsh(program: Command): string {
  const commands = program.commands.map((command) => `    '${command.name()}:${quoted(summary(command))}'`);
  const cases = program.commands.map((command) => {
    const specs = [...visibleOptions(program), ...visibleOptions(command)].flatMap(({ long, description, required }) =>
      long ? [`'${long}[${quoted(description).replace(/[[\]]/g, "")}]${required ? ":value:_files" : ""}'`] : [],
    );
    const words = choicesOf(command);
    const first = words.length > 0 ? [`'1:action:(${words.join(" ")})'`] : [];
    return `    ${command.name()}) _arguments ${[...new Set([...specs, ...first])].join(" ")} ;;`;
  });
  return `#compdef ipcheck
_ipcheck() {
  local -a commands
  commands=(
${commands.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case "$words[1]" in
${cases.join("\n")}
  esac
}
compdef _ipcheck ipcheck`;
}

function fish(program: Command): string {
  const names = program.commands.map((command) => command.name()).join(" ");
  const lines = ["complete -c ipcheck -f"];
  for (const command of program.commands) {
    const name = command.name();
    lines.push(
      `complete -c ipcheck -n 'not __fish_seen_subcommand_from ${names}' -a ${name} -d '${quoted(summary(command))}'`,
    );
    for (const { long, description, required } of visibleOptions(command)) {
      if (!long) continue;
      const value = required ? " -r" : "";
      lines.push(
        `complete -c ipcheck -n '__fish_seen_subcommand_from ${name}' -l ${long.slice(2)}${value} -d '${quoted(description)}'`,
      );
    }
    for (const word of choicesOf(command)) {
      lines.push(`complete -c ipcheck -n '__fish_seen_subcommand_from ${name}' -a ${word}`);
    }
  }
  lines.push("complete -c ipcheck -l env-file -r -F -d 'read the configuration from this file'");
  return lines.join("\n");
}

function wordsOf(program: Command, command: Command): string[] {
  return [...choicesOf(command), ...new Set([...longFlags(command), ...longFlags(program)])];
}

function longFlags(command: Command): string[] {
  return visibleOptions(command).flatMap(({ long }) => (long ? [long] : []));
}

function choicesOf(command: Command): readonly string[] {
  return command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
}

function summary(command: Command): string {
  return command.description().split(/[;:(]/, 1)[0]?.trim() ?? "";
}

// Inside single quotes in all three shells.
function quoted(text: string): string {
  return text.replaceAll("'", "’").replaceAll(":", "\\:");
}
