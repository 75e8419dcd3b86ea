#!/usr/bin/env bash
# What a pull request is told before anybody merges it: `ci/check.sh [BASE]`, from the top of the repository.
# Needs comity, kustomize and git. BASE is the commit that it is to be merged into; without it, origin/main.
# Whatever is wrong makes it fail. What a change widens doesn't: it says who has to approve, and the cluster asks them.
set -euo pipefail

base=${1:-origin/main}
output=text
if [ -n "${GITHUB_ACTIONS:-}" ]; then output=github; fi

wrong=0
echo '== each file, line by line'
comity validate --recursive --output "$output" platform base || wrong=1
for overlay in overlays/*/; do
  echo "== $overlay, as it will be applied"
  # Everything is there, so what is missing is missing.
  kustomize build "$overlay" | comity validate --strict - || wrong=1
done

boundaries=()
while IFS= read -r file; do
  boundaries+=(--boundary "$file")
done < <(grep -lE '^kind: SharingBoundary$' -r platform base --include='*.yaml' || true)

before=$(mktemp)
trap 'rm -f "$before" "$before.told"' EXIT
{
  echo '## What this changes for partners'
  echo
  changed=0
  while IFS= read -r file; do
    # A file holds one object here: that is what comity diff compares.
    grep -qE '^kind: (SharingContract|SharingBoundary|Dataset|Partner)$' "$file" || continue
    git cat-file -e "$base:./$file" 2>/dev/null || { printf -- '- `%s` is new\n' "$file"; changed=1; continue; }
    git show "$base:./$file" > "$before"
    code=0
    text=$(comity diff --no-color ${boundaries[@]+"${boundaries[@]}"} "$before" "$file") || code=$?
    case $code in
      0) continue ;;
      3) verdict='narrower: at once, and without anybody' ;;
      4) verdict='**wider**: once it is approved' ;;
      5) verdict='**narrower and wider**: what is less at once, what is more once it is approved' ;;
      *) verdict='**can'\''t be compared**'; wrong=1 ;;
    esac
    changed=1
    # shellcheck disable=SC2016 # these are fences of Markdown
    printf -- '\n`%s` gets %s\n\n```text\n%s\n```\n' "$file" "$verdict" "$text"
  done < <(git diff --relative --name-only --diff-filter=AMR "$base...HEAD" -- platform base)
  while IFS= read -r file; do
    stage=$(sed -nE 's/^  stage: *([A-Za-z]+).*/\1/p' "$file")
    printf -- '\n- `%s`: the grant may come as far as **%s**\n' "$file" "$stage"
    changed=1
  done < <(git diff --relative --name-only --diff-filter=AMR "$base...HEAD" -- overlays | grep -E '/grant\.yaml$' || true)
  while IFS= read -r file; do
    printf -- '- `%s` is deleted: what depends on it is closed as soon as this is applied\n' "$file"
    changed=1
  done < <(git diff --relative --name-only --diff-filter=D "$base...HEAD" -- platform base overlays)
  [ "$changed" = 1 ] || echo 'Nothing.'
} > "$before.told" || wrong=1
# Markdown, for people.
if [ -n "${COMITY_SUMMARY:-}" ]; then cat "$before.told" >> "$COMITY_SUMMARY"; else cat "$before.told"; fi

exit "$wrong"
