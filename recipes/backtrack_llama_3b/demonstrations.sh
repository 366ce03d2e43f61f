# Sourced by run.sh: gives the model in LLAMA thinking tags, samples attempts of numbered steps, and stitches them.
LLAMA=${LLAMA:?a directory with Llama-3.2-3B-Instruct}
"$PYTHON_BIN" -m recipes.backtrack_llama_3b.add_tags --model "$LLAMA" --out "$OUT/model"
"$PYTHON_BIN" -m data_prep prefixes --model "$OUT/model" --data data/numinamath_steps/train.parquet --out "$OUT/traces" \
  --traces 8 --response-tokens 4096 --set reward_model=mrt_backtrack 'mrt.markers=[Step]'
"$PYTHON_BIN" -m data_prep backtrack --traces "$OUT/traces" --out "$OUT/backtrack" --continuations 4 --response-tokens 4096
