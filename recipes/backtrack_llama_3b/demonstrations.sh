# Sourced by run.sh: samples attempts of numbered steps from the model in LLAMA, stitches demonstrations of going back,
# and puts thinking tags around them; a copy of the model gets the tags as tokens.
LLAMA=${LLAMA:?a directory with Llama-3.2-3B-Instruct}
"$PYTHON_BIN" -m data_prep prefixes --model "$LLAMA" --data data/numinamath_steps/train.parquet --out "$OUT/traces" \
  --traces 8 --response-tokens 4096 --set reward_model=mrt_backtrack mrt_family=plain 'mrt.markers=[Step]'
"$PYTHON_BIN" -m data_prep backtrack --traces "$OUT/traces" --out "$OUT/backtrack" --continuations 4 --response-tokens 4096
"$PYTHON_BIN" -m recipes.backtrack_llama_3b.wrap_thinking --data "$OUT/backtrack/train.parquet" --out "$DATA"
"$PYTHON_BIN" -m recipes.backtrack_llama_3b.add_tags --model "$LLAMA" --out "$OUT/model"
