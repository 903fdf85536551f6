"""Latent Dirichlet allocation of scikit-learn on counts of words, for bench/recipes/lda.ts.

Reads {"topics": k, "seed": s, "train": matrix, "test": matrix} from standard input, a matrix being {"columns", "starts", "indices",
"values"}. Prints {"words": the ten first words of each topic, "perplexity": of the test documents, "train" and "test": mixtures}.
"""

import json
import sys

import numpy
from scipy.sparse import csr_matrix
from sklearn.decomposition import LatentDirichletAllocation


def matrix(given):
    shape = (len(given["starts"]) - 1, given["columns"])
    return csr_matrix((given["values"], given["indices"], given["starts"]), shape=shape)


def main():
    given = json.load(sys.stdin)
    train, test = matrix(given["train"]), matrix(given["test"])
    lda = LatentDirichletAllocation(
        n_components=given["topics"], learning_method="batch", max_iter=50, random_state=given["seed"]
    )
    mixtures = lda.fit_transform(train)
    order = numpy.argsort(-lda.components_, axis=1)[:, :10]
    rounded = lambda rows: [[round(float(share), 6) for share in row] for row in rows]
    answer = {
        "words": order.tolist(),
        "perplexity": lda.perplexity(test),
        "train": rounded(mixtures),
        "test": rounded(lda.transform(test)),
    }
    json.dump(answer, sys.stdout)


main()
