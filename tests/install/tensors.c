/* tensors.c - prints name, type and first value of every tensor of a table: what a small user of the library does. */
#include <arrowquant.h>
#include <stdio.h>

int main(int argc, char **argv) {
  aq_error err;
  aq_source *source;
  if (argc != 2) return 2;
  if (aq_source_open(argv[1], NULL, &source, &err) != AQ_OK) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const aq_tensor_info *t = aq_source_tensor(source, i);
    float first = 0;
    if (t->num_params > 0 && aq_source_read_f32(source, i, 0, 1, &first, &err) != AQ_OK) return 1;
    printf("%s %s %.9g\n", t->name, aq_quant_type_name(t->quant_type), (double)first);
  }
  aq_source_close(source);
  return 0;
}
