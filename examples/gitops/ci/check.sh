#!/usr/bin/env bash
# What a pull request is told before anybody merges it: `ci/check.sh [BASE]`, from the top of the repository.
# Needs comity, kustomize and git. BASE is the commit that it is to be merged into; without it, origin/main.
# Whatever is wrong makes it fail, and so does what can't be told. What a change widens doesn't: it says who has to approve, and
# the cluster asks them.
set -euo pipefail

base=${1:-origin/main}
output=text
if [ -n "${GITHUB_ACTIONS:-}" ]; then output=github; fi

from=$(git merge-base "$base" HEAD) || {
  echo "what changes can't be told: git has no commit that $base and this one come from; fetch both with their history" >&2
  exit 1
}
work=$(mktemp -d)
trap 'git worktree remove --force "$work/before" 2>/dev/null || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/before" "$from"
before=$work/before/$(git rev-parse --show-prefix)

# The objects of a kustomize build that comity diff leaves out, each line with the name of its object.
beside() {
  awk '
    function tell(  i) {
      if (version != "comity.dev/v1alpha1" || kind !~ /^(SharingBoundary|Partner|Dataset|SharingContract|PartnerGrant)$/)
        for (i = 0; i < count; i++) print kind " " name ": " lines[i]
      count = 0; version = kind = name = ""
    }
    /^---$/ { tell(); next }
    { lines[count++] = $0 }
    /^[^ -]/ { top = $1 }
    /^apiVersion: / { version = $2 }
    /^kind: / { kind = $2 }
    top == "metadata:" && /^  name: / { name = $2 }
    END { tell() }' "$1"
}

# Whatever a file says, it stays a block of Markdown.
block() { printf '\n\n'; sed 's/^/    /' "$1"; }

# What is said of each overlay; what is said of several is said once.
names=() texts=()
say() { # OVERLAY, TEXT
  local i
  for ((i = 0; i < ${#texts[@]}; i++)); do
    if [ "${texts[i]}" = "$2" ]; then names[i]+=", \`$1\`"; return; fi
  done
  names+=("\`$1\`"); texts+=("$2")
}

wrong=0
echo '== each file, line by line'
comity validate --recursive --output "$output" platform base || wrong=1
for overlay in overlays/*/; do
  echo "== $overlay, as it will be applied"
  kustomize build "$overlay" > "$work/new" || { say "$overlay" "**can't be built**"; wrong=1; continue; }
  # Everything is there, so what is missing is missing.
  comity validate --strict - < "$work/new" || wrong=1
  beside "$work/new" > "$work/new.beside"
  if [ -d "$before$overlay" ]; then
    kustomize build "$before$overlay" > "$work/old" || { say "$overlay" "**can't be compared**, since what it was can't be built"; wrong=1; continue; }
    beside "$work/old" > "$work/old.beside"
    code=0
    comity diff --no-color "$work/old" "$work/new" > "$work/said" || code=$?
    case $code in
      0) verdict='' ;;
      3) verdict='narrower, at once and without anybody' ;;
      4) verdict='**wider**, once it is approved' ;;
      5) verdict='**narrower and wider**, what is less at once, what is more once it is approved' ;;
      *) verdict="**can't be compared**"; wrong=1 ;;
    esac
  else
    # Only what no overlay had is told.
    for known in "$before"overlays/*/; do kustomize build "$known" > "$work/old" && beside "$work/old"; done > "$work/known" || wrong=1
    grep -xFf "$work/known" "$work/new.beside" > "$work/old.beside" || true
    comity plan --no-color "$work/new" > "$work/plan" || wrong=1
    sed -e '/^What would hold/,$d' -e '/^ /d' -e '/^$/d' "$work/plan" > "$work/said"
    verdict='**new**, and nothing of it is agreed yet'
  fi
  [ -z "$verdict" ] || say "$overlay" "$verdict$(block "$work/said")"
  code=0
  diff -U0 "$work/old.beside" "$work/new.beside" > "$work/differs" || code=$?
  if [ "$code" = 1 ]; then
    sed -e '1,2d' -e '/^@@/d' "$work/differs" > "$work/said"
    say "$overlay" "what isn't of Comity's kinds changes, and **nobody is asked** before it is applied:$(block "$work/said")"
  elif [ "$code" != 0 ]; then
    say "$overlay" "**can't be compared**"; wrong=1
  fi
done
for overlay in "$before"overlays/*/; do
  overlay=${overlay#"$before"}
  if [ -d "$before$overlay" ] && [ ! -d "$overlay" ]; then
    say "$overlay" 'deleted, and what it alone holds is closed as soon as this is applied'
  fi
done
git diff -z --no-renames --relative --name-status "$from" > "$work/files"

{
  printf '## What this changes for partners\n\n'
  for ((i = 0; i < ${#texts[@]}; i++)); do printf '%s: %s\n\n' "${names[i]}" "${texts[i]}"; done
  if [ -s "$work/files" ]; then printf 'Every file that differs:\n\n'; elif [ "${#texts[@]}" = 0 ]; then echo 'Nothing.'; fi
  while IFS= read -r -d '' state && IFS= read -r -d '' file; do
    case $state in A) state='is new' ;; D) state='is deleted' ;; *) state='is changed' ;; esac
    # A name can't begin a line, or end the code that it stands in.
    printf -- '- `%s` %s\n' "${file//[[:cntrl:]\`]/?}" "$state"
  done < "$work/files"
} > "$work/told"
# Markdown, for people.
if [ -n "${COMITY_SUMMARY:-}" ]; then cat "$work/told" >> "$COMITY_SUMMARY"; else cat "$work/told"; fi

exit "$wrong"
