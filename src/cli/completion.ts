/** Scripts that complete commands, actions and options in a shell, from the table of commands. */

import type { Command } from './command.ts';

const roles = ['up', 'gateway', 'worker', 'collect', 'health', 'completion'];

/** Undefined for a shell that is not known. */
export function completion(shell: string, commands: readonly Command[], shared: readonly string[]): string | undefined {
  const names = [...commands.map(({ name }) => name), ...roles];
  const wordsOf = ({ actions = [], options }: Command): string[] => [
    ...actions,
    ...[...Object.keys(options), ...shared].map((option) => `--${option}`),
  ];
  switch (shell) {
    case 'bash':
      return `_hourglass() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then words="${names.join(' ')}"; else
    case "\${COMP_WORDS[1]}" in
${commands.map((command) => `      ${command.name}) words="${wordsOf(command).join(' ')}" ;;`).join('\n')}
      completion) words="bash zsh fish" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _hourglass hourglass`;
    case 'zsh':
      return `#compdef hourglass
_hourglass() {
  if (( CURRENT == 2 )); then compadd ${names.join(' ')}; return; fi
  case "$words[2]" in
${commands.map((command) => `    ${command.name}) compadd -- ${wordsOf(command).join(' ')} ;;`).join('\n')}
    completion) compadd bash zsh fish ;;
  esac
  _files
}
compdef _hourglass hourglass`;
    case 'fish':
      return [
        ...commands.map(
          ({ name, summary }) =>
            `complete -c hourglass -n __fish_use_subcommand -a ${name} -d '${summary.replaceAll("'", "\\'")}'`,
        ),
        `complete -c hourglass -n __fish_use_subcommand -a '${roles.join(' ')}'`,
        ...commands.flatMap(({ name, actions = [], options }) => [
          ...(actions.length > 0
            ? [`complete -c hourglass -n '__fish_seen_subcommand_from ${name}' -a '${actions.join(' ')}'`]
            : []),
          ...[...Object.keys(options), ...shared].map(
            (option) => `complete -c hourglass -n '__fish_seen_subcommand_from ${name}' -l ${option}`,
          ),
        ]),
      ].join('\n');
    default:
      return undefined;
  }
}
